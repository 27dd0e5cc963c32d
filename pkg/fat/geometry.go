package fat

import (
	"errors"
	"fmt"
	"math"
)

// Cluster counts decide the type of a file system (page 14). The last counts of
// each type are in use, although some old drivers are off by a few.
const (
	maxClusters12 = 4084
	maxClusters16 = 65524
)

// FewestOfFAT32 is how many clusters a file system of FAT32 has at least.
const FewestOfFAT32 = maxClusters16 + 1

// Clusters are numbered from 2; the first two elements of the table are marks.
const firstCluster = 2

const (
	defaultClusterSize = 2048
	maxClusterSize     = 32768

	// defaultClusterSize32 is what Microsoft's table has for the smaller of FAT32's volumes (page 20).
	defaultClusterSize32 = 4096
)

// geometry is the division of the volume into areas.
type geometry struct {
	bits              int // of a table element: 12, 16 or 32, of which 28 are in use
	totalSectors      int64
	sectorsPerCluster int64
	tableSectors      int64
	clusters          int64
}

// newGeometry divides size bytes.
func newGeometry(size int64, clusterSize int) (geometry, error) {
	if size == 0 {
		return geometry{}, errors.New("the size is missing")
	}
	if size%sectorSize != 0 {
		return geometry{}, fmt.Errorf("size %d is no multiple of %d", size, sectorSize)
	}
	smallest, largest := clusterSize, clusterSize
	if clusterSize == 0 {
		smallest, largest = defaultClusterSize, maxClusterSize
	}
	if smallest < sectorSize || largest > maxClusterSize || smallest&(smallest-1) != 0 {
		return geometry{}, fmt.Errorf("cluster size %d is no power of two from %d to %d", clusterSize, sectorSize, maxClusterSize)
	}
	for unit := smallest; unit <= largest; unit *= 2 {
		g12, g16 := divide(size, unit, 12), divide(size, unit, 16)
		switch {
		case g12.clusters < 1:
			return geometry{}, fmt.Errorf("size %d has no room for a cluster", size)
		case g12.clusters <= maxClusters12:
			return g12, nil
		case g16.clusters <= maxClusters12:
			// The larger table of FAT16 takes the clusters that FAT12 has too
			// many: leave those unused.
			g12.totalSectors -= (g12.clusters - maxClusters12) * g12.sectorsPerCluster
			g12.clusters = maxClusters12
			return g12, nil
		case g16.clusters <= maxClusters16:
			return g16, nil
		}
	}
	if clusterSize == 0 {
		smallest = defaultClusterSize32
	}
	for unit := smallest; unit <= largest; unit *= 2 {
		g16, g32 := divide(size, unit, 16), divide(size, unit, 32)
		switch {
		case g32.totalSectors > math.MaxUint32:
			return geometry{}, fmt.Errorf("size %d has more sectors than 32 bits count", size)
		case g32.clusters <= maxClusters16: // as of FAT16
			g16.totalSectors -= (g16.clusters - maxClusters16) * g16.sectorsPerCluster
			g16.clusters = maxClusters16
			return g16, nil
		case g32.clusters <= maxClusters32:
			return g32, nil
		}
	}
	return geometry{}, fmt.Errorf("size %d needs more than %d clusters of %d bytes", size, maxClusters32, largest)
}

// divide returns the geometry with the smallest table that serves its clusters.
func divide(size int64, clusterSize, bits int) geometry {
	g := geometry{
		bits:              bits,
		totalSectors:      size / sectorSize,
		sectorsPerCluster: int64(clusterSize / sectorSize),
	}
	for g.tableSectors = 1; ; g.tableSectors++ {
		g.clusters = (g.totalSectors - g.dataSector()) / g.sectorsPerCluster
		if tableSize(g.clusters, bits) <= g.tableSectors*sectorSize {
			return g
		}
	}
}

// tableSize returns the length in bytes of a table for so many clusters.
func tableSize(clusters int64, bits int) int64 {
	return ((clusters+firstCluster)*int64(bits) + 7) / 8
}

// dataSector is where the clusters begin.
func (g geometry) dataSector() int64 {
	if g.bits == 32 { // whose root directory has clusters
		return reservedCount32 + tableCount*g.tableSectors
	}
	return reservedCount + tableCount*g.tableSectors + rootSectors
}

func (g geometry) clusterSize() int64 { return g.sectorsPerCluster * sectorSize }

// clustersFor returns how many clusters hold n bytes.
func (g geometry) clustersFor(n int64) int64 {
	return (n + g.clusterSize() - 1) / g.clusterSize()
}

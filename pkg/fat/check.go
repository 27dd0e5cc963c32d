package fat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Finding is one thing that is wrong with a file system.
type Finding struct {
	Structure string // "boot sector", "allocation table", "directory", "directory entry" or "file"
	Offset    int64  // of it in the file system, in bytes
	Path      string // of the file concerned, from the root directory, which is "."; empty if there is none
	Err       error  // what is wrong
}

func (f Finding) Error() string {
	if f.Path == "" {
		return fmt.Sprintf("%s at %d: %v", f.Structure, f.Offset, f.Err)
	}
	return fmt.Sprintf("%q: %s at %d: %v", f.Path, f.Structure, f.Offset, f.Err)
}

func (f Finding) Unwrap() error { return f.Err }

// Check returns the first thing that [Reader.Findings] finds, a [Finding], or nil.
func (r *Reader) Check(ctx context.Context) error {
	return r.Findings(ctx, func(f Finding) error { return f })
}

// Findings reads the tables and all directories and calls found for each thing
// that is wrong: areas beyond the end, tables that differ, names that are none,
// chains of clusters that are shorter or longer than their file, go in a circle
// or have a part in another, and clusters in use that no file has. Contents
// have no checksums, and are not read.
//
// An error of found ends the check and is returned; others are those of ctx.
func (r *Reader) Findings(ctx context.Context, found func(Finding) error) error {
	c := &checker{r: r, ctx: ctx, found: found}
	for _, step := range []func() error{c.areas, c.copies, c.tree, c.lost} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// checker is one run of Findings.
type checker struct {
	r     *Reader
	ctx   context.Context
	found func(Finding) error

	clusters int64    // that are there
	used     []uint64 // a bit for each of them that a file has
	torn     bool     // some are not known
}

func (c *checker) find(structure string, offset int64, path string, err error) error {
	return c.found(Finding{structure, offset, path, err})
}

// areas checks that the volume is there.
func (c *checker) areas() error {
	r := c.r
	c.clusters = min(r.info.Clusters, max(0, r.size-r.dataStart)/int64(r.info.ClusterSize))
	c.used = make([]uint64, (c.clusters+63)/64)
	if r.info.Size > r.size {
		if err := c.find("boot sector", 0, "", fmt.Errorf("file system of %d bytes is cut off after %d", r.info.Size, r.size)); err != nil {
			return err
		}
	}
	if all := (r.dataEnd - r.dataStart) / int64(r.info.ClusterSize); r.info.Clusters < all {
		return c.find("boot sector", 0, "", fmt.Errorf("%d clusters, and an allocation table for %d", all, r.info.Clusters))
	}
	return nil
}

// copies compares the tables.
func (c *checker) copies() error {
	r := c.r
	var first, other [tableChunk]byte
	for at := int64(0); at < r.tableLength; at += tableChunk {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		n := min(tableChunk, r.tableLength-at)
		if err := r.readAt(first[:n], r.tableStart+at); err != nil {
			c.torn = true
			return c.find("allocation table", r.tableStart+at, "", err)
		}
		for i := int64(1); i < r.tables; i++ {
			place := r.tableStart + i*r.tableLength + at
			if err := r.readAt(other[:n], place); err != nil {
				return c.find("allocation table", place, "", err)
			}
			if !bytes.Equal(first[:n], other[:n]) {
				return c.find("allocation table", place, "", fmt.Errorf("copy %d differs from the first", i+1))
			}
		}
	}
	return nil
}

// tree walks through the directories, without recursion: their depth is bounded
// by the number of clusters only.
func (c *checker) tree() error {
	type step struct {
		path  string
		entry Entry
	}
	todo := []step{{".", rootEntry()}}
	for len(todo) > 0 {
		dir := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if err := c.chain(dir.path, dir.entry); err != nil {
			return err
		}
		d, err := c.r.directory(dir.entry)
		if err != nil {
			c.torn = true
			if err := c.find("directory", max(0, dir.entry.Offset), dir.path, err); err != nil {
				return err
			}
			continue
		}
		for _, at := range slices.Sorted(maps.Keys(d.faults)) {
			c.torn = true
			if err := c.find("directory entry", at, dir.path, errors.New(d.faults[at])); err != nil {
				return err
			}
		}
		for _, e := range d.entries {
			path := e.Name
			if dir.path != "." {
				path = dir.path + "/" + e.Name
			}
			if len(path) > pathMax {
				c.torn = true
				if err := c.find("directory entry", e.Offset, dir.path, fmt.Errorf("path of %d bytes, more than %d", len(path), pathMax)); err != nil {
					return err
				}
				continue
			}
			if e.IsDir() {
				todo = append(todo, step{path, e})
			} else if err := c.chain(path, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// pathMax bounds a path, in bytes: more than Linux opens. Without it the paths
// in a small file system could fill any memory.
const pathMax = 4096

// chain notes the clusters of a file or directory.
func (c *checker) chain(path string, e Entry) error {
	structure, place, first := "file", max(0, e.Offset), e.Cluster
	if e.IsDir() {
		structure = "directory"
	}
	if e.Offset < 0 {
		if first = c.r.rootCluster; c.r.info.Bits != 32 {
			return nil
		}
	}
	if !e.IsDir() && first == 0 {
		if e.Size > 0 {
			return c.find(structure, place, path, fmt.Errorf("%d bytes and no cluster", e.Size))
		}
		return nil
	}
	chain, length := c.r.chain(first), int64(0)
	for {
		cluster, err := chain.cluster()
		if cluster == 0 && err == nil {
			break
		}
		if i := int64(cluster) - firstCluster; err == nil && i >= c.clusters {
			err = fmt.Errorf("cluster %d is beyond the end", cluster)
		} else if err == nil {
			if c.used[i/64]&(1<<(i%64)) != 0 {
				err = fmt.Errorf("cluster %d belongs to another, or comes again", cluster)
			}
			c.used[i/64] |= 1 << (i % 64)
		}
		if err != nil {
			c.torn = true
			return c.find(structure, place, path, err)
		}
		length += int64(c.r.info.ClusterSize)
	}
	if rest := length - e.Size; !e.IsDir() && (rest < 0 || rest >= int64(c.r.info.ClusterSize)) {
		return c.find(structure, place, path, fmt.Errorf("clusters for %d bytes, and a size of %d", length, e.Size))
	}
	return nil
}

// lost looks for clusters that are in use by nothing.
func (c *checker) lost() error {
	if c.torn {
		return nil
	}
	lost, first := int64(0), int64(0)
	for i := range c.clusters {
		if i%(1<<16) == 0 && c.ctx.Err() != nil {
			return c.ctx.Err()
		}
		if c.used[i/64]&(1<<(i%64)) != 0 {
			continue
		}
		e, err := c.r.element(uint32(i + firstCluster))
		if err != nil {
			return c.find("allocation table", c.r.tableStart, "", err)
		}
		if e != freeCluster && e != badCluster {
			if lost++; lost == 1 {
				first = i + firstCluster
			}
		}
	}
	if lost == 0 {
		return nil
	}
	return c.find("allocation table", c.r.tableStart, "", fmt.Errorf("%d clusters in use that no file has, the first is %d", lost, first))
}

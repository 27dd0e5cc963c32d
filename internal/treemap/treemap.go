// Package treemap draws what takes the room of a medium: rectangles in rectangles, each as large as
// the room is that its part takes. A page has a map to go into, by pointer and by keyboard, and the
// same in words; a drawing stands still.
//
// Names on a medium are from strangers: they get into neither as anything but text. Both are one file
// each, load nothing, and are the same for the same Room.
package treemap

// Rect is a rectangle, its corner with the least coordinates and its extent.
type Rect struct{ X, Y, W, H float64 }

// Layout divides a rectangle among weights, which are not negative and descend. Each gets an area
// in proportion, as square as that is possible row by row (Bruls, Huizing, van Wijk: Squarified
// Treemaps, 2000). Weights of zero get no area.
func Layout(weights []float64, in Rect) []Rect {
	rects := make([]Rect, len(weights))
	left := 0.0
	for _, w := range weights {
		left += w
	}
	for start := 0; start < len(weights) && weights[start] > 0; {
		scale := in.W * in.H / left // area of a weight of 1
		side := min(in.W, in.H)
		end, row := start, 0.0
		for worst := 0.0; end < len(weights) && weights[end] > 0; end++ {
			next := row + weights[end]
			ratio := worstRatio(weights[start], weights[end], next, scale, side)
			if end > start && ratio > worst {
				break
			}
			row, worst = next, ratio
		}
		in = placeRow(rects[start:end], weights[start:end], row, row/left, in)
		left -= row
		start = end
	}
	return rects
}

// worstRatio is the ratio of the sides of the least square of the rectangles of a row along a side.
func worstRatio(largest, smallest, sum, scale, side float64) float64 {
	thick := sum * scale / side
	longest, shortest := largest*scale/thick, smallest*scale/thick
	return max(longest/thick, thick/longest, shortest/thick, thick/shortest)
}

// placeRow places a row, which takes a share of a rectangle, along its shorter side, and returns
// what is left of it.
func placeRow(rects []Rect, weights []float64, sum, share float64, in Rect) Rect {
	at := 0.0
	for i, w := range weights {
		from, to := at/sum, (at+w)/sum
		at += w
		if in.W >= in.H {
			rects[i] = Rect{in.X, in.Y + in.H*from, in.W * share, in.H * (to - from)}
		} else {
			rects[i] = Rect{in.X + in.W*from, in.Y, in.W * (to - from), in.H * share}
		}
	}
	if in.W >= in.H {
		return Rect{in.X + in.W*share, in.Y, in.W * (1 - share), in.H}
	}
	return Rect{in.X, in.Y + in.H*share, in.W, in.H * (1 - share)}
}

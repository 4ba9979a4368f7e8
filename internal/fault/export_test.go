package fault

import "reelpass/internal/reel"

// Find is the cluster that a failure belongs to by now.
func (c *Clusterer) Find(e reel.Evidence, own ...string) (Cluster, bool) {
	tokens, way := place(e, own)
	if found := best(c.root.follow(way), tokens); found != nil {
		return found.shown(), true
	}
	return Cluster{}, false
}

package fault

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"reelpass/internal/reel"
)

// The bounds of a Clusterer.
const (
	// MostClusters is a good number of clusters to remember at most: a ledger with more kinds of failures has other troubles.
	MostClusters = 1000
	// tokensCompared is how many words of a message are compared. What tells messages apart stands at their beginning.
	tokensCompared = 48
	// tokenLength is how much of a word is compared, in bytes: beyond it no word of a language is left.
	tokenLength = 64
	// branching is how many ways go on from a node of the tree; what comes later shares one more way.
	branching = 64
	// alike is the share of the words of a pattern that must be constant: below it messages only look alike.
	alike = 0.6
	// examples is how many different messages of a cluster are kept as they were seen, and exampleLength how much of each.
	examples      = 3
	exampleLength = 2 << 10
)

// anyWord stands in a pattern where messages differ. Where ids, numbers, addresses and paths were rubbed out it has a #.
const anyWord = "*"

// Cluster is a kind of failure: messages that differ in some words only.
type Cluster struct {
	// Pattern is what its messages have in common, normalised: a * stands for any one word, a # for a number, id, address or path.
	Pattern string
	Source  reel.Source // of all of them
	Code    string      // likewise, rubbed
	Count   int
	// Examples are up to three different messages as they were seen; of long ones, the beginning and the end.
	Examples []reel.Evidence

	tokens []string
}

// Clusterer sorts failures into clusters as they come, in the manner of Drain (He et al., ICWS 2017): a tree of fixed depth by
// source and code, number of words and first words leads to a few patterns, and the likest one takes the message and gives up
// the words in which they differ. Whatever a pattern took it takes again. Its memory is bounded: when there are as many clusters
// as it may have, messages that fit none are only counted.
type Clusterer struct {
	most  int
	other int
	all   []*Cluster
	root  node
}

// node is a place in the tree.
type node struct {
	ways     map[string]*node
	clusters []*Cluster // at the end of a way
}

// NewClusterer makes a clusterer that remembers so many clusters at most, at least one.
func NewClusterer(most int) *Clusterer { return &Clusterer{most: max(most, 1)} }

// Add sorts one failure in. The words in own differ from job to job (its account, its id) and are rubbed out.
func (c *Clusterer) Add(e reel.Evidence, own ...string) {
	tokens, way := place(e, own)
	if found := best(c.root.follow(way), tokens); found != nil {
		found.take(e, tokens)
		return
	}
	if len(c.all) == c.most {
		c.other++
		return
	}
	leaf := c.root.make(way)
	fresh := &Cluster{Source: e.Source, Code: way[1], tokens: tokens}
	fresh.take(e, tokens)
	leaf.clusters = append(leaf.clusters, fresh)
	c.all = append(c.all, fresh)
}

// Clusters lists the clusters, the most frequent first.
func (c *Clusterer) Clusters() []Cluster {
	list := make([]Cluster, len(c.all))
	for i, one := range c.all {
		list[i] = one.shown()
	}
	slices.SortStableFunc(list, func(a, b Cluster) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Pattern, b.Pattern))
	})
	return list
}

// Other is how many failures were counted only, because there were too many clusters.
func (c *Clusterer) Other() int { return c.other }

// place is a failure's words, and its way through the tree.
func place(e reel.Evidence, own []string) (tokens, way []string) {
	tokens = strings.Fields(rubbed(e, own))
	tokens = tokens[:min(len(tokens), tokensCompared)]
	for i, token := range tokens {
		if tokens[i] = headOfText(token, tokenLength); token == anyWord {
			tokens[i] = "#" // somebody else's star
		}
	}
	code := headOfText(varies.ReplaceAllStringFunc(normalise(e.Code), rubCode), tokenLength)
	way = []string{string(e.Source), code, strconv.Itoa(len(tokens))}
	for i := range min(2, len(tokens)) {
		way = append(way, tokens[i])
	}
	return tokens, way
}

// rubCode takes long numbers out of a code, which are somebody's ids. Short ones are what the code says.
func rubCode(word string) string {
	if strings.Count(word, "")-1 > 12 {
		return "#"
	}
	return word
}

// follow is the end of a way, or nil.
func (n *node) follow(way []string) *node {
	for _, step := range way {
		next := n.ways[step]
		if next == nil {
			next = n.ways[anyWord]
		}
		if next == nil {
			return nil
		}
		n = next
	}
	return n
}

// make is the end of a way, which is built where it is missing. A step that was once sent the common way is sent there for ever:
// a full node gets no more ways.
func (n *node) make(way []string) *node {
	for _, step := range way {
		if n.ways[step] == nil && len(n.ways) >= branching {
			step = anyWord
		}
		if n.ways[step] == nil {
			if n.ways == nil {
				n.ways = map[string]*node{}
			}
			n.ways[step] = &node{}
		}
		n = n.ways[step]
	}
	return n
}

// best is the cluster of a leaf that is likest to a message, the first of several, or nil where none is alike.
func best(leaf *node, tokens []string) *Cluster {
	if leaf == nil {
		return nil
	}
	var found *Cluster
	most := 0.0
	for _, one := range leaf.clusters {
		if s := likeness(one.tokens, tokens); s >= alike && s > most {
			found, most = one, s
		}
	}
	return found
}

// likeness is the share of constant words that a pattern would have left if it took a message; 0 where they can have nothing in
// common. It is never less for a message that the pattern has taken before than the pattern's own share, so that it is taken again.
func likeness(pattern, tokens []string) float64 {
	if len(pattern) != len(tokens) {
		return 0
	}
	same, words := 0, 0
	for i, token := range tokens {
		switch {
		case pattern[i] == anyWord:
			words++
		case pattern[i] == token && strings.Contains(token, "#"): // it says where something was, not what
		case pattern[i] == token:
			same++
			words++
		default:
			words++
		}
	}
	if words == 0 {
		return 1 // nothing but numbers, both
	}
	return float64(same) / float64(words)
}

// take counts a message, and gives up the words in which it differs.
func (c *Cluster) take(e reel.Evidence, tokens []string) {
	c.Count++
	pattern := slices.Clone(c.tokens)
	for i, token := range tokens {
		if pattern[i] != token {
			pattern[i] = anyWord
		}
	}
	c.tokens = pattern
	kept := reel.Evidence{Source: e.Source, Code: e.Code, Text: bothEnds(e.Text, exampleLength)}
	if len(c.Examples) < examples && !slices.Contains(c.Examples, kept) {
		c.Examples = append(c.Examples, kept)
	}
}

// shown is a cluster that its holder may keep.
func (c *Cluster) shown() Cluster {
	copied := *c
	copied.Pattern = strings.Join(c.tokens, " ")
	copied.Examples = slices.Clone(c.Examples)
	return copied
}

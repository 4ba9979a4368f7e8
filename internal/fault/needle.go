package fault

import "strings"

// shortest is the least length in bytes of a text in a rule; one Chinese character has three.
const shortest = 3

// gram is how many bytes of a needle are looked up at each place of the haystack.
const gram = 3

// needles finds which of some thousand substrings occur in a text in one go over the text: the first bytes of each place are
// looked up, and only needles that begin so are compared.
type needles struct {
	list  []string
	index map[string]int
	heads map[uint32][]int
	maybe [1 << 10]uint64 // a quick no for most places
}

func newNeedles() *needles {
	return &needles{index: map[string]int{}, heads: map[uint32][]int{}}
}

// add returns the number of a needle of at least gram bytes.
func (n *needles) add(text string) int {
	if id, ok := n.index[text]; ok {
		return id
	}
	id := len(n.list)
	n.list = append(n.list, text)
	n.index[text] = id
	head := headOf(text)
	n.heads[head] = append(n.heads[head], id)
	slot := slotOf(head)
	n.maybe[slot>>6] |= 1 << (slot & 63)
	return id
}

func headOf(s string) uint32 { return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 }

func slotOf(head uint32) uint32 { return head * 2654435761 >> 16 }

// hits is a set of needles.
type hits []uint64

func (h hits) has(id int) bool { return h[id>>6]&(1<<(id&63)) != 0 }

func (h hits) any(ids []int) bool {
	for _, id := range ids {
		if h.has(id) {
			return true
		}
	}
	return false
}

// find is the set of needles in a text.
func (n *needles) find(text string) hits {
	set := make(hits, len(n.list)/64+1)
	for i := 0; i+gram <= len(text); i++ {
		head := headOf(text[i:])
		slot := slotOf(head)
		if n.maybe[slot>>6]&(1<<(slot&63)) == 0 {
			continue
		}
		for _, id := range n.heads[head] {
			if strings.HasPrefix(text[i:], n.list[id]) {
				set[id>>6] |= 1 << (id & 63)
			}
		}
	}
	return set
}

package worker

import "testing"

func TestOtherBoot(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"m/1/7", "m/1/7", false},
		{"m/1/7", "m/1/8", false}, // another pid namespace of the same start
		{"m/1/7", "renamed/1/7", false},
		{"m/1/7", "m/2/7", true},
		{"m/?/7", "m/2/7", false}, // nobody knows
		{"m/1/7", "m/?/7", false},
		{"", "m/2/7", false},
		{"m", "m/2/7", false},
	} {
		if got := otherBoot(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: %t", c.a, c.b, got)
		}
	}
}

package disk

import "testing"

// Shut closes the part, as if its file system went away.
func (f *File) Shut(t *testing.T) {
	if err := f.part.Close(); err != nil {
		t.Fatal(err)
	}
}

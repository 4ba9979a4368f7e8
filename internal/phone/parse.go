package phone

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxNodes is more than any screen has; a tree beyond it is not a screen.
const maxNodes = 20_000

// ErrNoScreen says that a text is not a tree of elements as UiAutomator writes it.
var ErrNoScreen = errors.New("not a tree of screen elements")

// Parse reads a tree of elements: what UiAutomator dumps (nodes named "node") and what the UiAutomator2 server answers
// (nodes named after their class). Every element but the root is a node of the screen. It fails with ErrNoScreen, or with
// what r failed with.
func Parse(r io.Reader) (Screen, error) {
	var s Screen
	in := &remembering{Reader: r}
	d := xml.NewDecoder(in)
	rooted := false
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			if !rooted {
				return Screen{}, ErrNoScreen
			}
			return s, nil
		}
		switch {
		case in.failed != nil:
			return Screen{}, in.failed
		case err != nil:
			return Screen{}, fmt.Errorf("%w: %w", ErrNoScreen, err)
		}
		e, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		if !rooted {
			if e.Name.Local != "hierarchy" {
				return Screen{}, fmt.Errorf("%w: it begins with <%s>", ErrNoScreen, e.Name.Local)
			}
			rooted = true
			continue
		}
		if len(s.Nodes) == maxNodes {
			return Screen{}, fmt.Errorf("%w: over %d elements", ErrNoScreen, maxNodes)
		}
		s.Nodes = append(s.Nodes, node(e))
	}
}

// remembering keeps what its reader failed with, which the decoder reports like a fault of the text.
type remembering struct {
	io.Reader
	failed error
}

func (r *remembering) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.failed = err
	}
	return n, err
}

func node(e xml.StartElement) Node {
	var n Node
	if e.Name.Local != "node" {
		n.Class = e.Name.Local
	}
	for _, a := range e.Attr {
		yes := a.Value == "true"
		switch a.Name.Local {
		case "resource-id":
			n.ID = a.Value
		case "class":
			n.Class = a.Value
		case "package":
			n.Package = a.Value
		case "text":
			n.Text = a.Value
		case "content-desc":
			n.Desc = a.Value
		case "bounds":
			n.Bounds = bounds(a.Value)
		case "clickable":
			n.Clickable = yes
		case "scrollable":
			n.Scrollable = yes
		case "enabled":
			n.Enabled = yes
		case "focused":
			n.Focused = yes
		case "selected":
			n.Selected = yes
		case "checked":
			n.Checked = yes
		case "checkable":
			n.Checkable = yes
		case "password":
			n.Private = yes
		}
	}
	return n
}

// bounds reads [x1,y1][x2,y2]. What cannot be read is the empty rectangle, which nobody touches.
func bounds(text string) (r Rect) {
	_, err := fmt.Fscanf(strings.NewReader(text), "[%d,%d][%d,%d]", &r.X1, &r.Y1, &r.X2, &r.Y2)
	if err != nil {
		return Rect{}
	}
	return r
}

package phone

import "fmt"

// Node is one element of a screen as UiAutomator tells it.
type Node struct {
	ID      string // resource id, whole, as com.instagram.android:id/share_button; often empty
	Class   string // as android.widget.Button; empty where nobody recorded it
	Package string // of the app it belongs to
	Text    string // what is written on it, or typed into it
	Desc    string // its content description: what a screen reader would say
	Bounds  Rect

	Clickable, Scrollable       bool
	Enabled, Focused, Selected  bool
	Checked, Checkable, Private bool // Private: a password field
}

// Screen is what a phone showed at one moment: its elements in the order of the tree, a parent before its children.
type Screen struct {
	Nodes []Node
}

// Rect is a rectangle in pixels: X1 and Y1 belong to it, X2 and Y2 do not.
type Rect struct{ X1, Y1, X2, Y2 int }

// Center is the point that a finger aims at.
func (r Rect) Center() Point { return Point{(r.X1 + r.X2) / 2, (r.Y1 + r.Y2) / 2} }

// Empty says that nothing of it can be seen or touched.
func (r Rect) Empty() bool { return r.X2 <= r.X1 || r.Y2 <= r.Y1 }

// String writes it as UiAutomator does.
func (r Rect) String() string { return fmt.Sprintf("[%d,%d][%d,%d]", r.X1, r.Y1, r.X2, r.Y2) }

// Point is a place on the screen in pixels, from the upper left corner.
type Point struct{ X, Y int }

// Key is an Android key code.
type Key int

// The keys that are ever pressed. The numbers are Android's (KeyEvent).
const (
	KeyHome  Key = 3
	KeyBack  Key = 4
	KeyEnter Key = 66
)

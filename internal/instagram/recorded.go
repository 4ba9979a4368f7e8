package instagram

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"reelpass/internal/phone"
)

// Recorded is a screen that was kept as one JSON object.
type Recorded struct {
	ID      string
	Screen  phone.Screen
	Context Context
}

// ReadRecorded reads a recorded screen:
//
//	{"id":"s1","me":"acc1","context":{"share_tapped":true},
//	 "elements":[{"id":"share_button","class":"android.widget.Button","text":"Share","desc":"","bounds":[0,0,10,10],"clickable":true,"package":""}]}
//
// Only elements is needed. An id without a package is the app's own; an element without one belongs to the app. Other keys are
// ignored.
func ReadRecorded(data []byte) (Recorded, error) {
	var raw struct {
		ID      any    `json:"id"`
		Me      string `json:"me"`
		Context struct {
			Shared *bool `json:"share_tapped"`
		} `json:"context"`
		Elements *[]struct {
			ID        string `json:"id"`
			Class     string `json:"class"`
			Text      string `json:"text"`
			Desc      string `json:"desc"`
			Package   string `json:"package"`
			Bounds    []int  `json:"bounds"`
			Clickable bool   `json:"clickable"`
		} `json:"elements"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // an id is compared by others
	if err := d.Decode(&raw); err != nil {
		return Recorded{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Recorded{}, errors.New("something follows the object")
	}
	if raw.Elements == nil {
		return Recorded{}, errors.New(`there are no "elements"`)
	}
	r := Recorded{Context: Context{Me: raw.Me}}
	if raw.ID != nil {
		r.ID = fmt.Sprint(raw.ID)
	}
	if raw.Context.Shared != nil {
		r.Context.Shared = SharedNo
		if *raw.Context.Shared {
			r.Context.Shared = SharedYes
		}
	}
	for _, e := range *raw.Elements {
		n := phone.Node{ID: e.ID, Class: e.Class, Text: e.Text, Desc: e.Desc, Package: e.Package, Clickable: e.Clickable}
		if n.ID != "" && !strings.Contains(n.ID, ":") {
			n.ID = Instagram + ":id/" + n.ID
		}
		if n.Package == "" {
			n.Package = Instagram
		}
		if len(e.Bounds) == 4 {
			n.Bounds = phone.Rect{X1: e.Bounds[0], Y1: e.Bounds[1], X2: e.Bounds[2], Y2: e.Bounds[3]}
		}
		r.Screen.Nodes = append(r.Screen.Nodes, n)
	}
	return r, nil
}

// WriteRecorded writes a screen as ReadRecorded reads it, with a line's end.
func WriteRecorded(r Recorded) []byte {
	type element struct {
		ID        string `json:"id,omitempty"`
		Class     string `json:"class,omitempty"`
		Text      string `json:"text,omitempty"`
		Desc      string `json:"desc,omitempty"`
		Package   string `json:"package,omitempty"`
		Bounds    [4]int `json:"bounds"`
		Clickable bool   `json:"clickable,omitempty"`
	}
	out := struct {
		ID       string          `json:"id,omitempty"`
		Me       string          `json:"me,omitempty"`
		Context  map[string]bool `json:"context,omitempty"`
		Elements []element       `json:"elements"`
	}{ID: r.ID, Me: r.Context.Me, Elements: []element{}}
	if r.Context.Shared != "" {
		out.Context = map[string]bool{"share_tapped": r.Context.Shared == SharedYes}
	}
	for _, n := range r.Screen.Nodes {
		e := element{Class: n.Class, Text: n.Text, Desc: n.Desc, Clickable: n.Clickable, Bounds: [4]int{n.Bounds.X1, n.Bounds.Y1, n.Bounds.X2, n.Bounds.Y2}}
		e.ID = strings.TrimPrefix(n.ID, Instagram+":id/")
		if n.Package != Instagram {
			e.Package = n.Package
		}
		out.Elements = append(out.Elements, e)
	}
	data, err := json.Marshal(out)
	if err != nil {
		panic(err) // strings and numbers: cannot fail
	}
	return append(data, '\n')
}

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

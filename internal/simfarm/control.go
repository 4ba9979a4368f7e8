package simfarm

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"reelpass/internal/phone"
)

// PhoneView is a phone as the control API shows it.
type PhoneView struct {
	ID      string   `json:"id"`
	Account string   `json:"account"`
	Running bool     `json:"running"`
	ADB     string   `json:"adb,omitempty"` // its address, while it runs
	Screen  string   `json:"screen"`        // the page of its app
	Harms   []Harm   `json:"harms"`         // that wait for their moment
	Posts   []string `json:"posts"`         // captions of what was posted, as often as it was
}

// control are the routes by which other programs see and harm phones.
func (f *Farm) control(m *http.ServeMux) {
	m.HandleFunc("GET /sim/kinds", func(w http.ResponseWriter, _ *http.Request) { answer(w, kinds) })
	m.HandleFunc("GET /sim/phones", func(w http.ResponseWriter, _ *http.Request) { answer(w, f.Phones()) })
	m.HandleFunc("GET /sim/report", func(w http.ResponseWriter, _ *http.Request) { answer(w, f.Report()) })
	m.HandleFunc("GET /sim/phones/{account}/picture", func(w http.ResponseWriter, r *http.Request) {
		if one := f.byAccount(r.PathValue("account")); one != nil {
			w.Header().Set("Content-Type", "image/png")
			_, _ = w.Write(f.Picture(one.id))
			return
		}
		http.Error(w, "no such phone", http.StatusNotFound)
	})
	m.HandleFunc("POST /sim/phones/{account}/harm", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Kind, When, After string }
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		h := Harm{Kind: in.Kind, When: in.When}
		var err error
		if in.After != "" {
			h.After, err = time.ParseDuration(in.After)
		}
		if err == nil {
			err = h.Check()
		}
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadRequest)
		case !f.Harm(r.PathValue("account"), h):
			http.Error(w, "no such phone", http.StatusNotFound)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
	m.HandleFunc("DELETE /sim/phones/{account}/harm", func(w http.ResponseWriter, r *http.Request) {
		if !f.heal(r.PathValue("account")) {
			http.Error(w, "no such phone", http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // whoever asked may be gone
}

func (f *Farm) byAccount(account string) *rented {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.phones {
		if r.account == account {
			return r
		}
	}
	return nil
}

// Harm has something happen to an account's phone: at its moment in this run of the phone, or in the next one. One of AtStart happens
// at once where the phone runs. false: there is no such phone.
func (f *Farm) Harm(account string, h Harm) bool {
	r := f.byAccount(account)
	if r == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r.harms = append(r.harms, h)
	if h.When == "" || h.When == AtStart {
		f.strike(r, AtStart)
	}
	return true
}

// heal takes back what has not happened yet. What has happened goes with the phone's stop.
func (f *Farm) heal(account string) bool {
	r := f.byAccount(account)
	if r == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r.harms = nil
	return true
}

// Phones lists the phones as they are now.
func (f *Farm) Phones() []PhoneView {
	var all []PhoneView
	for _, id := range f.ids() {
		f.mu.Lock()
		r := f.phones[id]
		v := PhoneView{ID: id, Account: r.account, Running: r.phone != nil, Harms: append([]Harm{}, r.harms...), Posts: []string{}}
		p := r.phone
		if p != nil {
			v.ADB = p.Address()
		}
		for post, n := range f.posts {
			if post.Account == r.account {
				for range n {
					v.Posts = append(v.Posts, post.Caption)
				}
			}
		}
		f.mu.Unlock()
		v.Screen = "off"
		if p != nil {
			v.Screen = strings.Join(titles(p.Screen()), " · ")
		}
		all = append(all, v)
	}
	return all
}

// titles are the first texts of a screen.
func titles(s phone.Screen) (all []string) {
	for _, n := range s.Nodes {
		if n.Text != "" && len(all) < 3 {
			all = append(all, n.Text)
		}
	}
	return all
}

package dashboard

import (
	"slices"

	"reelpass/internal/access"
	"reelpass/internal/fault"
	"reelpass/internal/overview"
	"reelpass/internal/reel"
)

type settingsData struct {
	Grants []access.Grant
	Facts  []Fact
	Seq    int64
	Behind bool
	Zones  []string
}

func (s *Server) settingsPage(r *request) (view, error) {
	grants, err := s.Access.Grants()
	if err != nil {
		return view{}, err
	}
	d := settingsData{Grants: grants, Facts: s.About, Zones: []string{"UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles", "Asia/Kolkata", "Asia/Tokyo", "Australia/Sydney"}}
	s.sum(func(o *overview.Overview) { d.Seq, d.Behind = o.Seq(), s.behind })
	return view{name: "settings", Title: "Settings", Data: d}, nil
}

func (s *Server) revoke(r *request) (view, error) {
	there, err := s.Access.Revoke(r.PostFormValue("id"))
	if err != nil {
		return view{}, err
	}
	if !there {
		return view{}, notFound("this token or session is gone already")
	}
	s.Log.Info("revoked", "id", r.PostFormValue("id"), "by", r.Who.Name)
	return view{to: "/settings"}, nil
}

type rulesData struct {
	Unknown []causeRow
	Known   []causeRow // no rule knew them, and one does by now
	Own     string     // the file of one's own rules
	Rules   []fault.Rule
	Query   string
	Shown   int
}

func (s *Server) rulesPage(r *request) (view, error) {
	names, err := s.Ledger.Names(r.ctx)
	if err != nil {
		return view{}, err
	}
	var d rulesData
	if s.Teach != nil {
		d.Own = s.Teach.File
	}
	var causes []causeRow
	s.sum(func(o *overview.Overview) {
		for _, name := range names {
			causes = append(causes, causeRows(o.Causes(name), 1000)...)
		}
	})
	for _, c := range causes {
		switch {
		case s.unknown(c.Cause):
			d.Unknown = append(d.Unknown, c)
		case c.Verdict.Category == reel.Unknown:
			d.Known = append(d.Known, c)
		}
	}
	d.Query = r.URL.Query().Get("category")
	for _, rule := range s.Rules().All() {
		if d.Query == "" || string(rule.Category) == d.Query {
			d.Rules = append(d.Rules, rule)
		}
	}
	if d.Query != "" && !slices.Contains(reel.Categories(), reel.Category(d.Query)) {
		return view{}, badRequest("there is no category %s", d.Query)
	}
	d.Shown = len(d.Rules)
	return view{name: "rules", Title: "Rules", Data: d, live: []string{"needs"}}, nil
}

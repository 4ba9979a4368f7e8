package simfarm_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"reelpass/internal/geelark"
	"reelpass/internal/simfarm"
)

type free struct{}

func (free) Take(context.Context) error                 { return nil }
func (free) Close(context.Context, time.Duration) error { return nil }

func start(t *testing.T, cfg simfarm.Config) (*simfarm.Farm, *geelark.Client) {
	t.Helper()
	cfg.Dir = t.TempDir()
	f, err := simfarm.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	c, err := geelark.New(geelark.Config{
		Base: f.URL(), Token: f.Token(), Limit: free{}, Pause: func(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return f, c
}

// The vendor's client finds, starts, reaches, loads and stops a phone of the farm.
func TestTheClientWorksWithTheFarm(t *testing.T) {
	f, c := start(t, simfarm.Config{Accounts: []string{"mira", "mira.two"}})
	if err := c.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	p, err := c.Find(t.Context(), "mira")
	if err != nil || p.Name != "mira" || p.State != geelark.Off {
		t.Fatal(p, err)
	}
	if err := c.Start(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	for range 2 { // closed before it is opened: else the second time would fail
		if a, err := c.OpenADB(t.Context(), p.ID); err != nil || a.Address == "" || a.Password == "" {
			t.Fatal(a, err)
		}
	}
	video := filepath.Join(t.TempDir(), "v.mp4")
	if err := os.WriteFile(video, []byte("a video"), 0o600); err != nil {
		t.Fatal(err)
	}
	name, err := c.Upload(t.Context(), p.ID, video)
	if err != nil || filepath.Ext(name) != ".mp4" {
		t.Fatal(name, err)
	}
	if r := f.Report(); len(r.Running) != 1 || r.Running[0] != "mira" || r.Calls == 0 {
		t.Errorf("%+v", r)
	}
	if err := c.Stop(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(t.Context(), p.ID); err != nil {
		t.Errorf("twice: %v", err)
	}
	if r := f.Report(); len(r.Running) != 0 || r.Posts != 0 || len(r.Doubles) != 0 {
		t.Errorf("%+v", r)
	}
	shots := filepath.Join(t.TempDir(), "shots")
	if err := f.WritePictures(shots); err != nil {
		t.Fatal(err)
	}
	if got, _ := filepath.Glob(filepath.Join(shots, "*.png")); len(got) != 2 {
		t.Error(got)
	}
	if _, err := c.Find(t.Context(), "nobody"); err == nil {
		t.Error("a phone for nobody")
	}
	wrong, err := geelark.New(geelark.Config{Base: f.URL(), Token: "another", Limit: free{}})
	if err != nil {
		t.Fatal(err)
	}
	var refused *geelark.Failure
	if err := wrong.Check(t.Context()); !errors.As(err, &refused) || refused.Code != 40003 {
		t.Error(err)
	}
}

// What is drawn follows from the seed.
func TestASeedDrawsTheSame(t *testing.T) {
	draw := func(seed uint64) (faults []string) {
		f, c := start(t, simfarm.Config{Accounts: []string{"a", "b", "c", "d", "e", "f"}, Mixed: true, Seed: seed})
		for _, account := range []string{"a", "b", "c", "d", "e", "f"} {
			p, err := c.Find(t.Context(), account)
			if err != nil {
				t.Fatal(err)
			}
			_ = c.Start(t.Context(), p.ID) // may be refused
			if err := c.Stop(t.Context(), p.ID); err != nil {
				t.Fatal(err)
			}
		}
		return f.Report().Faults
	}
	one, again := draw(3), draw(3)
	if len(one) == 0 || len(one) != len(again) {
		t.Fatal(one, again)
	}
	for i := range one {
		if one[i] != again[i] {
			t.Errorf("%q and %q", one[i], again[i])
		}
	}
}

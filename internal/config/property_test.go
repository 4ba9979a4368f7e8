package config_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reelpass/internal/config"
)

// What Keys says are the defaults, written to a file and to the environment, gives the defaults back.
func TestDefaultsRoundTrip(t *testing.T) {
	var file strings.Builder
	var pairs []string
	section := ""
	for _, k := range config.Keys() {
		name, indent := k.Name, ""
		if head, tail, ok := strings.Cut(k.Name, "."); ok {
			if head != section {
				section = head
				fmt.Fprintf(&file, "%s:\n", head)
			}
			name, indent = tail, "  "
		}
		value := k.Default
		switch {
		case k.Kind == "list":
			value = "[" + value + "]"
		case k.Kind == "text" && value == "":
			value = `""`
		}
		fmt.Fprintf(&file, "%s%s: %s\n", indent, name, value)
		pairs = append(pairs, k.Env+"="+k.Default)
	}
	got := load(t, file.String())
	for _, list := range []*[]string{&got.Accounts, &got.Command.Run, &got.Command.Find} {
		if len(*list) == 0 {
			*list = nil
		}
	}
	if !reflect.DeepEqual(got, config.Default()) {
		t.Errorf("through the file:\n%s\n got %+v\nwant %+v", &file, got, config.Default())
	}
	if got := load(t, "", pairs...); !reflect.DeepEqual(got, config.Default()) {
		t.Errorf("through the environment: %+v", got)
	}
}

func TestDurationRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64().Draw(t, "d"))
		got, err := config.ParseDuration(config.Duration(d).String())
		if err != nil || got != d {
			t.Fatalf("%d is written %s and read %d, %v", d, config.Duration(d), got, err)
		}
		seconds := rapid.IntRange(0, 1_000_000).Draw(t, "seconds")
		if got, err := config.ParseDuration(fmt.Sprint(seconds)); err != nil || got != time.Duration(seconds)*time.Second {
			t.Fatalf("%d is read as %v, %v", seconds, got, err)
		}
	})
}

// Whatever stands in the file: settings or a one-line message that names the file, never both and never a panic.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(everything))
	for _, seed := range []string{
		"", "a: b", "workers: 3", "command:\n  run: [a, b]\n", "? x\n: y\n", "<<: *a\n", "- 1\n-2", "{workers: 3, slots: [}",
		"db: |\n  x\n", "%YAML 1.2\n---\nworkers: 2\n", "\"workers\": 3", "workers: !!int 3", "a:\n\t- b", "[[[[", "x: \"\\u0000\"",
		"workers: 1 # one\n...\n", "retry_delay: 1_000", "~: 1",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := config.Load("reelpass.yaml", data, nil)
		if err == nil {
			_ = s.Validate()
			return
		}
		message := err.Error()
		if !strings.HasPrefix(message, "reelpass.yaml:") || strings.Contains(message, "\n") {
			t.Errorf("message %q", message)
		}
		if !reflect.DeepEqual(s, config.Settings{}) {
			t.Error("settings beside an error")
		}
	})
}

func TestSizeRoundTrip(t *testing.T) {
	for text, want := range map[string]config.Size{"10GB": 10_000_000_000, "500 MiB": 500 << 20, "1000": 1000, " 2kb ": 2000} {
		var got config.Size
		if err := got.Set(text); err != nil || got != want {
			t.Errorf("%q is read %d, %v", text, got, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n, got := config.Size(rapid.Int64Range(0, 1<<53).Draw(t, "bytes")), config.Size(0)
		if err := got.Set(n.String()); err != nil || got != n {
			t.Fatalf("%d is written %s and read %d, %v", n, n, got, err)
		}
	})
	var s config.Size
	for _, text := range []string{"", "-1", "many", "1XB", "20EB"} {
		if err := s.Set(text); err == nil {
			t.Errorf("%q is read %d", text, s)
		}
	}
}

// Whatever is given as a length of time or a size: a value that is written and read the same, or an error of one line.
func FuzzDurationAndSize(f *testing.F) {
	for _, s := range []string{"30", "0.25", "1m30s", "-5", ".", "+", "1e9", "9223372036s", "99999999999", "10GB", "1.5 MiB", "-1kB", "1e30GB", "NaN", "", "0x10", "17EB"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := config.ParseDuration(text); err == nil {
			if again, err := config.ParseDuration(config.Duration(d).String()); err != nil || again != d {
				t.Fatalf("%q is %v, and that is %v (%v)", text, d, again, err)
			}
		} else if d != 0 || strings.Contains(err.Error(), "\n") {
			t.Fatalf("%q: %v, %q", text, d, err)
		}
		var s, again config.Size
		if err := s.Set(text); err == nil {
			if err := again.Set(s.String()); s < 0 || s < 1<<53 && (err != nil || again != s) {
				t.Fatalf("%q is %d, and that is %d (%v)", text, s, again, err)
			}
		} else if s != 0 || strings.Contains(err.Error(), "\n") {
			t.Fatalf("%q: %v, %q", text, s, err)
		}
	})
}

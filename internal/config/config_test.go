package config_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"reelpass/internal/config"
	"reelpass/internal/reel"
)

// env answers from pairs "NAME=value".
func env(pairs ...string) func(string) string {
	return func(name string) string {
		for _, p := range pairs {
			if n, v, _ := strings.Cut(p, "="); n == name {
				return v
			}
		}
		return ""
	}
}

func load(t *testing.T, file string, pairs ...string) config.Settings {
	t.Helper()
	s, err := config.Load("reelpass.yaml", []byte(file), env(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const everything = `# all of it
workers: 3
slots: 2
max_passes: 4
retry_delay: 1m30s
infra_retry_limit: 6
unknown_retry_limit: 0
max_attempts_per_job: 9
retry_unknown: false
account_hold: false
max_wait: 2h
breaker: off
breaker_wait: 5
allow_repost: true
accounts: [acc1, 0123, "a b"]
state_file: old/scheduler_state.json
batch: 2026-11
publisher: command
db: other.db
rules: rules.yaml
log_dir: logs
job_timeout: 90
media_cache: /var/cache/reels
media_cache_size: 1.5 GB
command:
  run: [python3, post_one.py, "5"]
  protocol: jsonl
  timeout: 0.25
  find:
    - python3
    - is_it_there.py
rehearsal:
  script: script.json
  latency: 200ms
  seed: 7
  world: world.json
phone:
  from: devices
  geelark: http://127.0.0.1:1
  devices: [mira=emulator-5554, "lina=10.0.0.7:5555"]
  adb: /opt/adb
  android_home: /opt/sdk
  appium: /opt/appium
  locks: phones
  evidence: seen
  evidence_kept: 9
  evidence_size: 2 MB
  check: true
graph:
  accounts: a.age
  key: a.key
  version: v26.0
  instagram: http://127.0.0.1:3/ig
  facebook: http://127.0.0.1:3/fb
  posts_per_day: 2
  bucket: s3://reels/out
  check: false
  grace: 1m
navigator:
  model: some-model
  url: http://127.0.0.1:2
  steps: 3
  cents: 4
  cents_in: 5
  cents_out: 6
alerts:
  targets: ["https://hooks.example/T0/B1#secret=x"]
  kinds: [batch_ended, in_doubt]
  throttle: 1m
  stalled: 0
`

func TestEveryKeyIsRead(t *testing.T) {
	want := config.Settings{
		Workers: 3, Slots: 2, MaxPasses: 4, RetryDelay: config.Duration(90 * time.Second), InfraRetryLimit: 6,
		UnknownRetryLimit: 0, MaxAttemptsPerJob: 9, RetryUnknown: false, AccountHold: false, AllowRepost: true,
		MaxWait: config.Duration(2 * time.Hour), Breaker: "off", BreakerWait: config.Duration(5 * time.Second),
		Accounts: []string{"acc1", "0123", "a b"}, StateFile: "old/scheduler_state.json", Batch: "2026-11",
		Publisher: "command", DB: "other.db", Rules: "rules.yaml", LogDir: "logs",
		JobTimeout: config.Duration(90 * time.Second), MediaCache: "/var/cache/reels", MediaCacheSize: 1_500_000_000,
		Command: config.Command{
			Run: []string{"python3", "post_one.py", "5"}, Protocol: "jsonl",
			Timeout: config.Duration(250 * time.Millisecond), Find: []string{"python3", "is_it_there.py"},
		},
		Rehearsal: config.Rehearsal{
			Script: "script.json", Latency: config.Duration(200 * time.Millisecond), Seed: 7, World: "world.json",
		},
		Phone: config.Phone{
			From: "devices", GeeLark: "http://127.0.0.1:1", Devices: []string{"mira=emulator-5554", "lina=10.0.0.7:5555"}, ADB: "/opt/adb",
			AndroidHome: "/opt/sdk", Appium: "/opt/appium", Locks: "phones", Evidence: "seen", EvidenceKept: 9, EvidenceSize: 2_000_000, Check: true,
		},
		Graph:     config.Graph{Accounts: "a.age", Key: "a.key", Version: "v26.0", Instagram: "http://127.0.0.1:3/ig", Facebook: "http://127.0.0.1:3/fb", PostsPerDay: 2, Bucket: "s3://reels/out", Grace: config.Duration(time.Minute)},
		Navigator: config.Navigator{Model: "some-model", URL: "http://127.0.0.1:2", Steps: 3, Cents: 4, CentsIn: 5, CentsOut: 6},
		Alerts:    config.Alerts{Targets: config.Secrets{"https://hooks.example/T0/B1#secret=x"}, Kinds: []string{"batch_ended", "in_doubt"}, Throttle: config.Duration(time.Minute)},
	}
	for name, file := range map[string]string{
		"plain": everything, "with a byte order mark": "\ufeff" + everything, "with CRLF": strings.ReplaceAll(everything, "\n", "\r\n"),
	} {
		if got := load(t, file); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
	}
	if err := want.Validate(); err != nil {
		t.Error(err)
	}
}

func TestDefaultsAreTheDesigns(t *testing.T) {
	s := load(t, "")
	if !reflect.DeepEqual(s, config.Default()) {
		t.Errorf("an empty file changes %+v to %+v", config.Default(), s)
	}
	if s.Limits() != reel.DefaultLimits() {
		t.Errorf("limits %+v, want %+v", s.Limits(), reel.DefaultLimits())
	}
	if s.Workers != 5 || s.Slots != 1 || s.DB != ".reelpass/ledger.db" || s.JobTimeout.Std() != 600*time.Second {
		t.Errorf("%+v", s)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	for _, empty := range []string{"# nothing yet\n", "---\n", "---\n# nothing\n", "command:\n", "command: {}\n"} {
		if got := load(t, empty); !reflect.DeepEqual(got, s) {
			t.Errorf("%q: %+v", empty, got)
		}
	}
}

func TestEnvironmentGoesOverFile(t *testing.T) {
	s := load(t, "max_passes: 4\nretry_delay: 10\naccounts: [x]\ncommand: {timeout: 5}\n",
		"REELPASS_MAX_PASSES=2", "REELPASS_ACCOUNTS=a, b,", "REELPASS_COMMAND_TIMEOUT=1m",
		"REELPASS_REHEARSAL_SCRIPT=s.json", "REELPASS_RETRY_UNKNOWN=No", "REELPASS_DB=postgres://u:p@h/d",
		"REELPASS_COMMAND_RUN=python3,post_one.py", "REELPASS_WORKERS=", "REELPASS_SLOTS= 3 ")
	want := config.Default()
	want.MaxPasses, want.Slots, want.RetryDelay = 2, 3, config.Duration(10*time.Second)
	want.Accounts, want.RetryUnknown, want.DB = []string{"a", "b"}, false, "postgres://u:p@h/d"
	want.Command.Timeout, want.Command.Run = config.Duration(time.Minute), []string{"python3", "post_one.py"}
	want.Rehearsal.Script = "s.json"
	if !reflect.DeepEqual(s, want) {
		t.Errorf("\n got %+v\nwant %+v", s, want)
	}
}

// The golden messages: one line, with the place, and nothing of the file quoted but the offending number or key.
func TestRefusals(t *testing.T) {
	for _, c := range []struct{ file, env, want string }{
		{file: "max_pases: 3\n", want: `reelpass.yaml:1:1: unknown key "max_pases" in the file`},
		{file: "workers: 2\ncommand:\n  run: [a]\n  tiemout: 3\n", want: `reelpass.yaml:4:3: unknown key "tiemout" in command`},
		{file: "command.run: [a]\n", want: `reelpass.yaml:1:1: unknown key "command.run" in the file`},
		{file: "rehearsal: {command: {}}\n", want: `reelpass.yaml:1:13: unknown key "command" in rehearsal`},
		{file: "5: 3\n", want: `reelpass.yaml:1:1: unknown key in the file`},
		{file: "job_id: v1\n", want: `reelpass.yaml:1:1: unknown key "job_id" in the file`},
		{file: "workers: many\n", want: `reelpass.yaml:1:10: workers: want a whole number, not text`},
		{file: "workers: \"5\"\n", want: `reelpass.yaml:1:10: workers: want a whole number, not text`},
		{file: "workers: 2.5\n", want: `reelpass.yaml:1:10: workers: want a whole number, not a fraction`},
		{file: "workers: 0x10\n", want: `reelpass.yaml:1:10: workers: want a whole number, not "0x10"`},
		{file: "workers: 99999999999999999999\n", want: `reelpass.yaml:1:10: workers: want a whole number, not text`},
		{file: "rehearsal: {seed: -7}\n", want: `reelpass.yaml:1:19: rehearsal.seed: want a whole number from 0 up, not "-7"`},
		{file: "workers:\n", want: `reelpass.yaml:1:10: workers: want a whole number, not nothing`},
		{file: "retry_unknown: yes\n", want: `reelpass.yaml:1:16: retry_unknown: want true or false, not text`},
		{file: "account_hold: 1\n", want: `reelpass.yaml:1:15: account_hold: want true or false, not a number`},
		{file: "retry_delay: soon\n", want: `reelpass.yaml:1:14: retry_delay: want seconds or a duration like 1m30s, not "soon"`},
		{file: "retry_delay: .inf\n", want: `reelpass.yaml:1:14: retry_delay: want a duration, not a number`},
		{file: "media_cache_size: much\n", want: `reelpass.yaml:1:19: media_cache_size: want a size like 10GB, not "much"`},
		{file: "media_cache_size: 1.5\n", want: `reelpass.yaml:1:19: media_cache_size: want a size, not a fraction`},
		{file: "db: [postgres://u:hunter2@h/d]\n", want: `reelpass.yaml:1:5: db: want text, not a list`},
		{file: "db: true\n", want: `reelpass.yaml:1:5: db: want text, not true or false`},
		{file: "accounts: a,b\n", want: `reelpass.yaml:1:11: accounts: want a list like [a, b], not text`},
		{file: "accounts:\n#  - a\n", want: `reelpass.yaml:1:11: accounts: want a list like [a, b], not nothing`},
		{file: "command: {run: [a, [b]]}\n", want: `reelpass.yaml:1:20: command.run: want text in the list, not a list`},
		{file: "command: python3 post_one.py\n", want: `reelpass.yaml:1:10: command: want keys with values, not text`},
		{file: "- workers\n", want: `reelpass.yaml:1:1: the file: want keys with values, not a list`},
		{file: "db: &a x.db\nrules: *a\n", want: `reelpass.yaml:1:5: db: want text, not an anchor, alias or tag`},
		{file: "workers: 1\n---\nworkers: 2\n", want: `reelpass.yaml:3:8: a second document`},
		{file: "workers: 1\nworkers: 2\n", want: `reelpass.yaml:2:1: mapping key "workers" already defined at [1:1]`},
		{file: "db: \"postgres://u:hunter2@h\nrules: x\n", want: `reelpass.yaml:1:5: could not find end character of double-quoted text`},
		{file: "db: \xff\n", want: `reelpass.yaml: not UTF-8 text`},
		{env: "REELPASS_MAX_PASSES=lots", want: `REELPASS_MAX_PASSES: want a whole number, not "lots"`},
		{env: "REELPASS_COMMAND_TIMEOUT=1 hour", want: `REELPASS_COMMAND_TIMEOUT: want seconds or a duration like 1m30s, not "1 hour"`},
		{env: "REELPASS_ALLOW_REPOST=maybe", want: `REELPASS_ALLOW_REPOST: want true or false, not "maybe"`},
	} {
		got, err := config.Load("reelpass.yaml", []byte(c.file), env(c.env))
		if err == nil {
			t.Errorf("%q %s: no error", c.file, c.env)
			continue
		}
		if err.Error() != c.want {
			t.Errorf("%q %s:\n got %s\nwant %s", c.file, c.env, err, c.want)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a password is in the message: %s", err)
		}
		if !reflect.DeepEqual(got, config.Settings{}) {
			t.Errorf("%q: settings beside an error", c.file)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		change func(*config.Settings)
		want   string // empty: it is valid
	}{
		{func(*config.Settings) {}, ""},
		{func(s *config.Settings) { s.Publisher = "rehearsal" }, ""},
		{func(s *config.Settings) { s.InfraRetryLimit, s.UnknownRetryLimit, s.RetryDelay = 0, 0, 0 }, ""},
		{func(s *config.Settings) { s.Publisher, s.Command.Run = "command", []string{"true"} }, ""},
		{func(s *config.Settings) { s.Workers = 0 }, "workers must be from 1 to 1000, not 0"},
		{func(s *config.Settings) { s.Workers = 100000 }, "workers must be from 1 to 1000, not 100000"},
		{func(s *config.Settings) { s.Slots = -1 }, "slots must be from 1 to 1000, not -1"},
		{func(s *config.Settings) { s.MaxPasses = 0 }, "max-passes must be at least 1, not 0"},
		{func(s *config.Settings) { s.MaxAttemptsPerJob = 0 }, "max-attempts-per-job must be at least 1, not 0"},
		{func(s *config.Settings) { s.InfraRetryLimit = -1 }, "infra-retry-limit must not be negative, not -1"},
		{func(s *config.Settings) { s.UnknownRetryLimit = -1 }, "unknown-retry-limit must not be negative, not -1"},
		{func(s *config.Settings) { s.RetryDelay = -1 }, "retry-delay must not be negative, not -1ns"},
		{func(s *config.Settings) { s.MaxWait = -1 }, "max-wait must not be negative, not -1ns"},
		{func(s *config.Settings) { s.Breaker = "off" }, ""},
		{func(s *config.Settings) { s.Breaker = "3/3" }, ""},
		{func(s *config.Settings) { s.Breaker = "" }, `breaker must be off or K/N, as 5/10, not ""`},
		{func(s *config.Settings) { s.Breaker = "5" }, `breaker must be off or K/N, as 5/10, not "5"`},
		{func(s *config.Settings) { s.Breaker = "0/9" }, `breaker must be off or K/N, as 5/10, not "0/9"`},
		{func(s *config.Settings) { s.Breaker = "5/4" }, "breaker must be off, or K/N with 2 <= K <= N <= 100, not 5/4"},
		{func(s *config.Settings) { s.Breaker = "1/4" }, "breaker must be off, or K/N with 2 <= K <= N <= 100, not 1/4"},
		{func(s *config.Settings) { s.BreakerWait = 0 }, "breaker-wait must be more than nothing, not 0s"},
		{func(s *config.Settings) { s.JobTimeout = 0 }, "job_timeout must be more than nothing, not 0s"},
		{func(s *config.Settings) { s.DB = "" }, "db must not be empty"},
		{func(s *config.Settings) { s.LogDir = "" }, "log_dir must not be empty"},
		{func(s *config.Settings) { s.MediaCache = "" }, "media_cache must not be empty"},
		{func(s *config.Settings) { s.MediaCacheSize = 0 }, "media_cache_size must be more than nothing, not 0"},
		{func(s *config.Settings) { s.Accounts = []string{"a", " "} }, "accounts must not hold an empty name"},
		{func(s *config.Settings) { s.Publisher = "robot" }, `unknown publisher "robot": want graph, phone, command or rehearsal`},
		{func(s *config.Settings) { s.Publisher, s.Phone.From = "phone", "devices" }, "publisher phone from devices needs phone.devices, as ACCOUNT=SERIAL"},
		{func(s *config.Settings) { s.Phone.From = "afar" }, `phone.from must be geelark or devices, not "afar"`},
		{func(s *config.Settings) { s.Phone.Devices = []string{"a=b", "c="} }, `phone.devices must be a list of ACCOUNT=SERIAL, not "c="`},
		{func(s *config.Settings) { s.Phone.Appium = "" }, "phone.appium must not be empty"},
		{func(s *config.Settings) { s.Graph.PostsPerDay = -1 }, "graph.posts_per_day must not be negative, not -1"},
		{func(s *config.Settings) { s.Graph.Grace = 0 }, "graph.grace must be at least 5s, not 0s"},
		{func(s *config.Settings) { s.Graph.Bucket = "azblob://x" }, `graph.bucket must begin with s3:// or gs://, not "azblob://x"`},
		{func(s *config.Settings) { s.Graph.Key = "" }, "graph.accounts, graph.key and graph.version must not be empty"},
		{func(s *config.Settings) { s.Navigator.Steps = 0 }, "navigator.steps and navigator.cents must be at least 1, not 0 and 25"},
		{func(s *config.Settings) { s.Navigator.CentsIn = -1 }, "navigator.cents_in and navigator.cents_out must not be negative, not -1 and 500"},
		{func(s *config.Settings) { s.Alerts.Stalled = -1 }, "alerts.throttle and alerts.stalled must not be negative, not 5m0s and -1ns"},
		{func(s *config.Settings) { s.Phone.EvidenceSize = 0 }, "phone.evidence_size must be more than nothing, not 0"},
		{func(s *config.Settings) { s.Phone.EvidenceKept = 0 }, "phone.evidence_kept must be at least 1, not 0"},
		{func(s *config.Settings) { s.Publisher = "command" }, "publisher command needs command.run, the program to start"},
		{func(s *config.Settings) { s.Command.Protocol = "xml" }, `command.protocol must be exit or jsonl, not "xml"`},
		{func(s *config.Settings) { s.Command.Timeout = -1 }, "command.timeout must not be negative, not -1ns"},
		{func(s *config.Settings) { s.Command.Find = []string{""} }, "command.find must begin with the program to start"},
		{func(s *config.Settings) { s.Rehearsal.Latency = -1 }, "rehearsal.latency must not be negative, not -1ns"},
	} {
		s := config.Default()
		c.change(&s)
		got := ""
		if err := s.Validate(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30": 30 * time.Second, "0": 0, "0.25": 250 * time.Millisecond, ".5": 500 * time.Millisecond, " 3 ": 3 * time.Second,
		"30s": 30 * time.Second, "1m30s": 90 * time.Second, "200ms": 200 * time.Millisecond, "-5": -5 * time.Second,
		"0.1": 100 * time.Millisecond, "600": 10 * time.Minute, "1h": time.Hour,
	} {
		if got, err := config.ParseDuration(text); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", " ", "s", ".", "-", "1e3", "0x10", "inf", "NaN", "1m30", "30 s", "10000000000", "5d", "１"} {
		if got, err := config.ParseDuration(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

// A setting that is in the struct and not in the table could be set by nobody; this finds it by looking at the struct.
func TestKeysAreComplete(t *testing.T) {
	reserved := map[string]bool{}
	for _, name := range config.Environ() {
		reserved[name] = true
	}
	var names []string
	for _, k := range config.Keys() {
		names = append(names, k.Name)
		if k.Help == "" || k.Kind == "" || !strings.HasPrefix(k.Env, "REELPASS_") {
			t.Errorf("%+v is not whole", k)
		}
		if reserved[k.Env] {
			t.Errorf("%s tells a publisher about its job and must not be a setting", k.Env)
		}
	}
	fields := fieldsOf(reflect.TypeFor[config.Settings](), "")
	if len(names) != len(fields) {
		t.Errorf("%d keys for %d fields", len(names), len(fields))
	}
	for i, name := range names {
		if i < len(fields) && strings.ReplaceAll(name, "_", "") != fields[i] {
			t.Errorf("key %s stands where field %s should", name, fields[i])
		}
	}
}

func fieldsOf(typ reflect.Type, prefix string) []string {
	var names []string
	for f := range typ.Fields() {
		name := prefix + strings.ToLower(f.Name)
		if f.Type.Kind() == reflect.Struct {
			names = append(names, fieldsOf(f.Type, name+".")...)
			continue
		}
		names = append(names, name)
	}
	return names
}

// What is secret is said once, in the table, and shows itself nowhere: not in a settings' print, nor in help.
func TestSecretsAreMasked(t *testing.T) {
	const address = "https://hooks.example/T0/B1"
	s := load(t, "alerts:\n  targets: ["+address+"]\n")
	if got := s.Secrets(); len(got) != 1 || got[0] != address {
		t.Errorf("%d secrets", len(got))
	}
	for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(form, s); strings.Contains(text, "hooks.example") || !strings.Contains(text, "***") {
			t.Errorf("%s shows %s", form, text)
		}
	}
	for _, k := range config.Keys() {
		if told := strings.Contains(k.Help, "secret"); k.Secret != told {
			t.Errorf("%s: secret is %v, and its help says %q", k.Name, k.Secret, k.Help)
		}
	}
}

// Each key sets its own field and no other, from the file and from the environment alike.
func TestEachKeySetsOneField(t *testing.T) {
	samples := map[string]string{
		"text": "other", "whole number": "7", "duration": "7s", "size": "7MB", "list": "x,y",
	}
	for _, k := range config.Keys() {
		value := samples[k.Kind]
		if k.Kind == "true or false" {
			value = fmt.Sprint(k.Default != "true")
		}
		fromEnv := load(t, "", k.Env+"="+value)
		if n := differences(fromEnv, config.Default()); n != 1 {
			t.Errorf("%s=%s changes %d fields", k.Env, value, n)
		}
		if k.Kind == "list" {
			value = "[" + value + "]"
		}
		file := k.Name + ": " + value + "\n"
		if section, name, ok := strings.Cut(k.Name, "."); ok {
			file = section + ":\n  " + name + ": " + value + "\n"
		}
		if got := load(t, file); !reflect.DeepEqual(got, fromEnv) {
			t.Errorf("%s: the file says %+v, the environment %+v", k.Name, got, fromEnv)
		}
	}
}

func differences(a, b config.Settings) int { return differ(reflect.ValueOf(a), reflect.ValueOf(b)) }

func differ(a, b reflect.Value) int {
	n := 0
	for i := range a.NumField() {
		switch {
		case a.Field(i).Kind() == reflect.Struct:
			n += differ(a.Field(i), b.Field(i))
		case !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()):
			n++
		}
	}
	return n
}

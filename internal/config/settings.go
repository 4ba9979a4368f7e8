package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// The publishers that reelpass.yaml and --publisher may name.
const (
	PublisherCommand   = "command"   // the user's own program
	PublisherRehearsal = "rehearsal" // follows a script; publishes nothing
	PublisherPhone     = "phone"     // the app on a cloud phone or on a device that adb reaches
	PublisherGraph     = "graph"     // Instagram's official API
)

// Where the phones of the phone publisher come from.
const (
	FromGeeLark = "geelark" // rented cloud phones, one for each account and named like it
	FromDevices = "devices" // phones and emulators that adb reaches by itself
)

// The protocols of the command publisher.
const (
	ProtocolExit  = "exit"  // one program run a job, judged by how it exits
	ProtocolJSONL = "jsonl" // JSON lines over stdin and stdout, one process for many jobs
)

// Settings is everything that can be set. Each field is documented by its key: see Keys.
type Settings struct {
	Workers           int
	Slots             int
	MaxPasses         int
	RetryDelay        Duration
	InfraRetryLimit   int
	UnknownRetryLimit int
	MaxAttemptsPerJob int
	RetryUnknown      bool
	AccountHold       bool
	MaxWait           Duration
	Breaker           string
	BreakerWait       Duration
	AllowRepost       bool
	Accounts          []string
	StateFile         string
	Batch             string
	Publisher         string
	DB                string
	Rules             string
	LogDir            string
	JobTimeout        Duration
	MediaCache        string
	MediaCacheSize    Size
	Command           Command
	Rehearsal         Rehearsal
	Phone             Phone
	Graph             Graph
	Navigator         Navigator
	Alerts            Alerts
}

// Command is the section of the command publisher.
type Command struct {
	Run      []string
	Protocol string
	Timeout  Duration
	Find     []string
}

// Rehearsal is the section of the rehearsal publisher.
type Rehearsal struct {
	Script  string
	Latency Duration
	Seed    uint64
	World   string
}

// Phone is the section of the phone publisher. Credentials are never in it: they come from the environment alone.
type Phone struct {
	From         string
	GeeLark      string
	Devices      []string
	ADB          string
	AndroidHome  string
	Appium       string
	Locks        string
	Check        bool
	Evidence     string
	EvidenceKept int
	EvidenceSize Size
}

// Graph is the section of the official API. Tokens are never in it.
type Graph struct {
	Accounts    string
	Key         string
	Version     string
	Instagram   string
	Facebook    string
	PostsPerDay int
	Bucket      string
	Check       bool
	Grace       Duration
}

// Navigator is the section of who is asked about unknown screens. The key is never in it: it comes from the environment alone.
type Navigator struct {
	Model    string
	URL      string
	Steps    int
	Cents    int
	CentsIn  int
	CentsOut int
}

// Alerts is the section of who is told of trouble. Its targets are secrets: whoever knows one may send to it.
type Alerts struct {
	Targets  Secrets
	Kinds    []string
	Throttle Duration
	Stalled  Duration
}

// Device takes ACCOUNT=SERIAL apart.
func Device(text string) (account, serial string, ok bool) {
	account, serial, ok = strings.Cut(text, "=")
	account, serial = strings.TrimSpace(account), strings.TrimSpace(serial)
	return account, serial, ok && account != "" && serial != ""
}

// Default is what holds where nothing is set. The limits are reel.DefaultLimits; the other numbers are the design's.
func Default() Settings {
	limits := reel.DefaultLimits()
	return Settings{
		Workers:           5,
		Slots:             1,
		MaxPasses:         limits.MaxPasses,
		RetryDelay:        Duration(limits.RetryDelay),
		InfraRetryLimit:   limits.Infrastructure,
		UnknownRetryLimit: limits.Unknown,
		MaxAttemptsPerJob: limits.MaxAttempts,
		RetryUnknown:      limits.RetryUnknown,
		AccountHold:       limits.AccountHold,
		MaxWait:           Duration(limits.MaxWait),
		Breaker:           fmt.Sprintf("%d/%d", limits.Breaker.Fails, limits.Breaker.Of),
		BreakerWait:       Duration(limits.Breaker.Wait),
		DB:                ".reelpass/ledger.db",
		LogDir:            ".reelpass/logs",
		JobTimeout:        Duration(10 * time.Minute),
		MediaCache:        ".reelpass/media",
		MediaCacheSize:    10_000_000_000,
		Command:           Command{Protocol: ProtocolExit},
		Phone: Phone{
			From: FromGeeLark, ADB: "adb", AndroidHome: "/usr/lib/android-sdk", Appium: ".reelpass/appium", Locks: ".reelpass/phones",
			Evidence: ".reelpass/evidence", EvidenceKept: 200, EvidenceSize: 500 * 1000 * 1000,
		},
		Graph:     Graph{Accounts: ".reelpass/accounts.age", Key: ".reelpass/accounts.key", Version: "v25.0", Check: true, Grace: Duration(3 * time.Minute)},
		Navigator: Navigator{Steps: 5, Cents: 25, CentsIn: 100, CentsOut: 500},
		Alerts:    Alerts{Throttle: Duration(5 * time.Minute), Stalled: Duration(30 * time.Minute)},
	}
}

// breakerLimits reads K/N, or off. What cannot be read is refused by Validate.
func breakerLimits(text string) (l reel.BreakerLimits, err error) {
	text = strings.TrimSpace(text)
	if text == "off" {
		return l, nil
	}
	fails, of, both := strings.Cut(text, "/")
	var bad error
	l.Fails, err = strconv.Atoi(fails)
	l.Of, bad = strconv.Atoi(of)
	if err != nil || bad != nil || !both || l.Fails < 1 {
		return reel.BreakerLimits{}, fmt.Errorf("breaker must be off or K/N, as 5/10, not %q", text)
	}
	return l, nil
}

// Limits is the part of the settings that plan decides by.
func (s Settings) Limits() reel.Limits {
	breaker, _ := breakerLimits(s.Breaker) // Validate tells
	breaker.Wait = reel.Seconds(s.BreakerWait)
	return reel.Limits{
		MaxPasses: s.MaxPasses, RetryDelay: reel.Seconds(s.RetryDelay), Infrastructure: s.InfraRetryLimit,
		Unknown: s.UnknownRetryLimit, MaxAttempts: s.MaxAttemptsPerJob,
		RetryUnknown: s.RetryUnknown, AccountHold: s.AccountHold, MaxWait: reel.Seconds(s.MaxWait), Breaker: breaker,
	}
}

// maxWorkers is more processes than one machine should be asked for: more is a slip of the keys.
const maxWorkers = 1000

// Validate says what makes no sense, once flag, environment and file have had their say. An empty publisher passes:
// only a run needs one, and a run refuses to guess it. No value that may hold a password (db) is ever in the message.
func (s Settings) Validate() error {
	if _, err := breakerLimits(s.Breaker); err != nil {
		return err
	}
	if err := s.Limits().Validate(); err != nil {
		return err
	}
	switch {
	case s.Workers < 1 || s.Workers > maxWorkers:
		return fmt.Errorf("workers must be from 1 to %d, not %d", maxWorkers, s.Workers)
	case s.Slots < 1 || s.Slots > maxWorkers:
		return fmt.Errorf("slots must be from 1 to %d, not %d", maxWorkers, s.Slots)
	case s.JobTimeout <= 0:
		return fmt.Errorf("job_timeout must be more than nothing, not %s", s.JobTimeout)
	case s.DB == "":
		return errors.New("db must not be empty")
	case s.LogDir == "":
		return errors.New("log_dir must not be empty")
	case s.MediaCache == "":
		return errors.New("media_cache must not be empty")
	case s.MediaCacheSize < 1:
		return fmt.Errorf("media_cache_size must be more than nothing, not %s", s.MediaCacheSize)
	case slices.ContainsFunc(s.Accounts, func(a string) bool { return strings.TrimSpace(a) == "" }):
		return errors.New("accounts must not hold an empty name")
	}
	return errors.Join(s.validatePublisher(), s.validateSections())
}

func (s Settings) validatePublisher() error {
	switch s.Publisher {
	case "", PublisherRehearsal:
		return nil
	case PublisherCommand:
		if len(s.Command.Run) == 0 || s.Command.Run[0] == "" {
			return errors.New("publisher command needs command.run, the program to start")
		}
		return nil
	case PublisherPhone:
		if s.Phone.From == FromDevices && len(s.Phone.Devices) == 0 {
			return errors.New("publisher phone from devices needs phone.devices, as ACCOUNT=SERIAL")
		}
		return nil
	case PublisherGraph:
		return nil
	}
	return fmt.Errorf("unknown publisher %q: want graph, phone, command or rehearsal", s.Publisher)
}

func (s Settings) validateSections() error {
	switch {
	case s.Command.Protocol != ProtocolExit && s.Command.Protocol != ProtocolJSONL:
		return fmt.Errorf("command.protocol must be exit or jsonl, not %q", s.Command.Protocol)
	case s.Command.Timeout < 0:
		return fmt.Errorf("command.timeout must not be negative, not %s", s.Command.Timeout)
	case len(s.Command.Find) > 0 && s.Command.Find[0] == "":
		return errors.New("command.find must begin with the program to start")
	case s.Rehearsal.Latency < 0:
		return fmt.Errorf("rehearsal.latency must not be negative, not %s", s.Rehearsal.Latency)
	case s.Phone.From != FromGeeLark && s.Phone.From != FromDevices:
		return fmt.Errorf("phone.from must be geelark or devices, not %q", s.Phone.From)
	case s.Graph.Accounts == "" || s.Graph.Key == "" || s.Graph.Version == "":
		return errors.New("graph.accounts, graph.key and graph.version must not be empty")
	case s.Graph.PostsPerDay < 0:
		return fmt.Errorf("graph.posts_per_day must not be negative, not %d", s.Graph.PostsPerDay)
	case s.Graph.Grace < Duration(5*time.Second):
		return fmt.Errorf("graph.grace must be at least 5s, not %s", s.Graph.Grace)
	case s.Graph.Bucket != "" && !strings.HasPrefix(s.Graph.Bucket, "s3://") && !strings.HasPrefix(s.Graph.Bucket, "gs://"):
		return fmt.Errorf("graph.bucket must begin with s3:// or gs://, not %q", s.Graph.Bucket)
	case s.Navigator.Steps < 1 || s.Navigator.Cents < 1:
		return fmt.Errorf("navigator.steps and navigator.cents must be at least 1, not %d and %d", s.Navigator.Steps, s.Navigator.Cents)
	case s.Navigator.CentsIn < 0 || s.Navigator.CentsOut < 0:
		return fmt.Errorf("navigator.cents_in and navigator.cents_out must not be negative, not %d and %d", s.Navigator.CentsIn, s.Navigator.CentsOut)
	case s.Alerts.Throttle < 0 || s.Alerts.Stalled < 0:
		return fmt.Errorf("alerts.throttle and alerts.stalled must not be negative, not %s and %s", s.Alerts.Throttle, s.Alerts.Stalled)
	case s.Phone.EvidenceSize <= 0:
		return fmt.Errorf("phone.evidence_size must be more than nothing, not %s", s.Phone.EvidenceSize)
	case s.Phone.EvidenceKept < 1:
		return fmt.Errorf("phone.evidence_kept must be at least 1, not %d", s.Phone.EvidenceKept)
	}
	for _, d := range s.Phone.Devices {
		if _, _, ok := Device(d); !ok {
			return fmt.Errorf("phone.devices must be a list of ACCOUNT=SERIAL, not %q", d)
		}
	}
	for key, value := range map[string]string{
		"adb": s.Phone.ADB, "android_home": s.Phone.AndroidHome, "appium": s.Phone.Appium, "locks": s.Phone.Locks, "evidence": s.Phone.Evidence,
	} {
		if value == "" {
			return fmt.Errorf("phone.%s must not be empty", key)
		}
	}
	return nil
}

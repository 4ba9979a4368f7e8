package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Key is one setting as help and documentation name it.
type Key struct {
	Name    string // in reelpass.yaml; a dot stands for a section
	Env     string // the environment variable that sets the same
	Kind    string // text, whole number, true or false, duration, size, list
	Default string // as it would be written; empty where nothing is set
	Help    string
	Secret  bool // its values are never shown: they are masked wherever somebody's words are kept
}

// Keys lists every setting in the order in which help shows them.
func Keys() []Key {
	s := Default()
	var keys []Key
	for _, e := range entries(&s) {
		keys = append(keys, Key{Name: e.name, Env: envName(e.name), Kind: kindOf(e.at), Default: show(e.at), Help: e.help, Secret: isSecret(e.at)})
	}
	return keys
}

// entry ties a key to the field it sets. There is one table, so that file, environment, help and tests cannot differ.
type entry struct {
	name string
	at   any // pointer into Settings
	help string
}

func entries(s *Settings) []entry {
	return []entry{
		{"workers", &s.Workers, "worker processes that run side by side"},
		{"slots", &s.Slots, "jobs at once per worker"},
		{"max_passes", &s.MaxPasses, "passes over the batch; 1 means no retry"},
		{"retry_delay", &s.RetryDelay, "wait between two passes"},
		{"infra_retry_limit", &s.InfraRetryLimit, "infrastructure failures allowed per job (3 = two retries)"},
		{"unknown_retry_limit", &s.UnknownRetryLimit, "unknown failures allowed per job"},
		{"max_attempts_per_job", &s.MaxAttemptsPerJob, "attempts of any ending allowed per job, the first included"},
		{"retry_unknown", &s.RetryUnknown, "whether a failure that no rule knows may be retried"},
		{"account_hold", &s.AccountHold, "whether an account verdict holds all jobs of the account"},
		{"max_wait", &s.MaxWait, "longest wait for an account or publisher that asks for time, or for an outage to end"},
		{"breaker", &s.Breaker, "stop claiming when K of the last N attempts fail alike over several accounts; off turns it off"},
		{"breaker_wait", &s.BreakerWait, "wait before one job probes whether the outage is over; doubles up to 16 times that"},
		{"allow_repost", &s.AllowRepost, "whether a video may be published again on an account that has it"},
		{"accounts", &s.Accounts, "import only rows of these accounts; an empty list means all"},
		{"state_file", &s.StateFile, "scheduler_state.json of the earlier orchestrator, to take jobs from"},
		{"batch", &s.Batch, "the batch's name; empty means the name of the posts file"},
		{"publisher", &s.Publisher, "who carries a job out: graph, phone, command or rehearsal"},
		{"db", &s.DB, "the file of the ledger, or the address of a PostgreSQL server: postgres://..."},
		{"rules", &s.Rules, "a file of rules that extends or replaces the built-in ones"},
		{"log_dir", &s.LogDir, "where the workers' logs go"},
		{"job_timeout", &s.JobTimeout, "a worker without progress for this long is killed"},
		{"media_cache", &s.MediaCache, "the folder of fetched videos; supervisors of one machine may share it"},
		{"media_cache_size", &s.MediaCacheSize, "what the folder of fetched videos may hold; unused ones are removed, the longest unused first"},
		{"command.run", &s.Command.Run, "the program that publishes one job, with its arguments"},
		{"command.protocol", &s.Command.Protocol, "exit (one program run a job) or jsonl (JSON lines)"},
		{"command.timeout", &s.Command.Timeout, "a program that runs for longer is killed; 0 means job_timeout"},
		{"command.find", &s.Command.Find, "the program that looks whether a post is there: exit 0 posted, 1 absent"},
		{"rehearsal.script", &s.Rehearsal.Script, "a JSON file of outcomes per job; without it they are drawn"},
		{"rehearsal.latency", &s.Rehearsal.Latency, "how long a rehearsed post takes"},
		{"rehearsal.seed", &s.Rehearsal.Seed, "what the drawn outcomes follow from"},
		{"rehearsal.world", &s.Rehearsal.World, "a file that records what was posted, to look it up again"},
		{"phone.from", &s.Phone.From, "where phones come from: geelark (credentials: see below) or devices"},
		{"phone.geelark", &s.Phone.GeeLark, "the address of GeeLark's API, where it is not the usual one"},
		{"phone.devices", &s.Phone.Devices, "the device of each account, as ACCOUNT=SERIAL of adb; an address is connected to"},
		{"phone.adb", &s.Phone.ADB, "the program adb"},
		{"phone.android_home", &s.Phone.AndroidHome, "the folder with platform-tools/adb, which Appium looks for"},
		{"phone.appium", &s.Phone.Appium, "the folder where npm has installed Appium and its driver"},
		{"phone.locks", &s.Phone.Locks, "the folder of what the processes of this machine share: GeeLark's limit, the starts of Appium"},
		{"phone.check", &s.Phone.Check, "whether a video is held against the platform's rules before a phone is taken"},
		{"phone.evidence", &s.Phone.Evidence, "the folder of what was seen in attempts that failed"},
		{"phone.evidence_kept", &s.Phone.EvidenceKept, "attempts that are kept there; the oldest are removed"},
		{"phone.evidence_size", &s.Phone.EvidenceSize, "what they may take together"},
		{"graph.accounts", &s.Graph.Accounts, "the encrypted file with the tokens of accounts, made by reelpass accounts add"},
		{"graph.key", &s.Graph.Key, "the file with the key that opens it, where the key is not in REELPASS_AGE_KEY or a credential"},
		{"graph.version", &s.Graph.Version, "the version of Instagram's API"},
		{"graph.instagram", &s.Graph.Instagram, "the address of its host for Instagram Login, where it is not the usual one"},
		{"graph.facebook", &s.Graph.Facebook, "the same for Facebook Login"},
		{"graph.posts_per_day", &s.Graph.PostsPerDay, "posts for each account in 24 hours; 0: as many as the platform allows"},
		{"graph.bucket", &s.Graph.Bucket, "s3://BUCKET/FOLDER or gs://BUCKET/FOLDER where videos are offered for accounts that take no uploads"},
		{"graph.check", &s.Graph.Check, "whether a video is held against the platform's rules before anything is sent"},
		{"graph.grace", &s.Graph.Grace, "how long a publication whose outcome is not known is looked for before it is called absent"},
		{"navigator.model", &s.Navigator.Model, "the model of Anthropic's that is asked about screens no rule knows, with the key in ANTHROPIC_API_KEY; empty: none is"},
		{"navigator.url", &s.Navigator.URL, "the address of the API, where it is not Anthropic's"},
		{"navigator.steps", &s.Navigator.Steps, "questions for each attempt"},
		{"navigator.cents", &s.Navigator.Cents, "what they may cost for each attempt, in US cents"},
		{"navigator.cents_in", &s.Navigator.CentsIn, "what the model costs for a million tokens that it reads, in US cents"},
		{"navigator.cents_out", &s.Navigator.CentsOut, "and for a million that it writes"},
		{"alerts.targets", &s.Alerts.Targets, "who is told of trouble while reelpass serve runs: https:// webhooks, or services as shoutrrr writes them; secret"},
		{"alerts.kinds", &s.Alerts.Kinds, "of what: pass_ended, batch_ended, breaker_opened, account_held, in_doubt, stalled; an empty list means all"},
		{"alerts.throttle", &s.Alerts.Throttle, "least time between two messages of one kind and batch; the end of a batch is told at once"},
		{"alerts.stalled", &s.Alerts.Stalled, "how long nothing may be done in a running batch before it is told; 0: for ever"},
	}
}

// envName is the variable of a key: command.timeout is REELPASS_COMMAND_TIMEOUT.
func envName(key string) string {
	return "REELPASS_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// Environ lists the variables that tell a publisher about its job. They are never settings, so that a program which
// is started by reelpass and starts reelpass itself does not pass its own job on as configuration.
func Environ() []string {
	return []string{
		"REELPASS_JOB_ID", "REELPASS_ACCOUNT", "REELPASS_VIDEO_PATH", "REELPASS_CAPTION", "REELPASS_ATTEMPT",
		"REELPASS_PASS", "REELPASS_WORKER_ID", "REELPASS_SINCE", "REELPASS_MARK", "REELPASS_OMITTED",
	}
}

// The kinds of values, as messages and help name them.
const (
	kindText     = "text"
	kindWhole    = "whole number"
	kindBool     = "true or false"
	kindDuration = "duration"
	kindSize     = "size"
	kindList     = "list"
)

func kindOf(at any) string {
	switch at.(type) {
	case *int, *uint64:
		return kindWhole
	case *bool:
		return kindBool
	case *Duration:
		return kindDuration
	case *Size:
		return kindSize
	case *[]string, *Secrets:
		return kindList
	}
	return kindText
}

// show writes a value as it would stand in the environment.
func show(at any) string {
	switch p := at.(type) {
	case *string:
		return *p
	case *int:
		return strconv.Itoa(*p)
	case *uint64:
		return strconv.FormatUint(*p, 10)
	case *bool:
		return strconv.FormatBool(*p)
	case *Duration:
		return p.String()
	case *Size:
		return p.String()
	case *[]string:
		return strings.Join(*p, ",")
	case *Secrets:
		return p.String()
	}
	return ""
}

// set reads one text into a setting. The error says what was wanted; the caller says where.
func set(at any, text string) error {
	switch p := at.(type) {
	case *string:
		*p = text
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("want a whole number, not %q", text)
		}
		*p = n
	case *uint64:
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return fmt.Errorf("want a whole number from 0 up, not %q", text)
		}
		*p = n
	case *bool:
		switch strings.ToLower(text) {
		case "true", "yes", "on", "1":
			*p = true
		case "false", "no", "off", "0":
			*p = false
		default:
			return fmt.Errorf("want true or false, not %q", text)
		}
	case *Duration:
		return p.Set(text)
	case *Size:
		return p.Set(text)
	case *Secrets:
		return set((*[]string)(p), text)
	case *[]string:
		*p = nil
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				*p = append(*p, part)
			}
		}
	}
	return nil
}

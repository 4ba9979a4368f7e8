package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"reelpass/internal/adb"
	"reelpass/internal/appium"
	"reelpass/internal/config"
	"reelpass/internal/geelark"
	"reelpass/internal/instagram"
	"reelpass/internal/ledger"
	"reelpass/internal/navigator"
	"reelpass/internal/phonepost"
	"reelpass/internal/reel"
	"reelpass/internal/runner"
	"reelpass/internal/video"
	"reelpass/internal/worker"
)

var _ worker.Publisher = (*phonepost.Publisher)(nil)

// The environment that holds GeeLark's credential: a token, or an app id with its API key.
const (
	envToken  = "GEELARK_TOKEN"
	envAppID  = "GEELARK_APP_ID"
	envAPIKey = "GEELARK_API_KEY"
)

// envClaudeKey holds Anthropic's key, by the name that its own tools use.
const envClaudeKey = "ANTHROPIC_API_KEY"

// sweepMost is how long phones that were left running may take to be stopped at a run's end.
const sweepMost = 2 * time.Minute

// phonePublisher checks what can be checked without a phone, and says how its workers are made.
func (a *app) phonePublisher(s config.Settings, mark string, l *logs, secrets []string) (publisher, error) {
	p := absolute(s.Phone)
	if p.From == config.FromGeeLark {
		if _, err := vendor(p); err != nil {
			return publisher{}, err
		}
	}
	self, err := a.self()
	if err != nil {
		return publisher{}, err
	}
	if s.Navigator.Model != "" && os.Getenv(envClaudeKey) == "" {
		return publisher{}, hinted{usage("navigator.model is set, and there is no key"), "put Anthropic's API key into " + envClaudeKey + ", or take navigator.model away"}
	}
	section, err := json.Marshal(phoneSection{p, s.Navigator})
	if err != nil {
		return publisher{}, err
	}
	argv := []string{self, "publisher", "phone", "--section", string(section)}
	return publisher{
		media: a.media(s),
		look:  true,
		worker: func(id int) runner.Worker {
			return worker.NewClient(worker.Options{
				Argv: argv, Timeout: s.JobTimeout.Std(), Log: l.worker(id), Mark: mark, Secrets: secrets, Env: withoutLedger(),
			})
		},
		tidy: func(ctx context.Context, store *ledger.Store) (string, error) { return sweepPhones(ctx, p, store) },
	}, nil
}

// phoneSection is what a worker is told of the settings.
type phoneSection struct {
	Phone     config.Phone
	Navigator config.Navigator
}

// guide makes who is asked about unknown screens; nil where nobody is.
func guide(n config.Navigator) func() instagram.Guide {
	if n.Model == "" {
		return nil
	}
	return func() instagram.Guide {
		return navigator.New(navigator.Config{
			Key: os.Getenv(envClaudeKey), Model: n.Model, URL: n.URL, Steps: n.Steps, Dollars: float64(n.Cents) / 100,
			DollarsIn: float64(n.CentsIn) / 100, DollarsOut: float64(n.CentsOut) / 100,
		})
	}
}

// absolute makes the section's folders independent of where a worker runs.
func absolute(p config.Phone) config.Phone {
	for _, dir := range []*string{&p.Appium, &p.Locks, &p.Evidence} {
		if full, err := filepath.Abs(*dir); err == nil {
			*dir = full
		}
	}
	return p
}

// vendor is GeeLark's client with the credential of the environment.
func vendor(p config.Phone) (*geelark.Client, error) {
	cfg := geelark.Config{Base: p.GeeLark, Token: os.Getenv(envToken), AppID: os.Getenv(envAppID), APIKey: os.Getenv(envAPIKey)}
	if err := os.MkdirAll(p.Locks, 0o700); err != nil {
		return nil, err
	}
	cfg.Limit = geelark.NewFileLimit(p.Locks, cfg.Token+cfg.AppID)
	c, err := geelark.New(cfg)
	if err != nil {
		return nil, hinted{usageError{err}, fmt.Sprintf("put GeeLark's token into %s, or its app id and API key into %s and %s", envToken, envAppID, envAPIKey)}
	}
	return c, nil
}

// sweepPhones stops the phones that dead workers left running, of this machine or another, and says which.
func sweepPhones(ctx context.Context, p config.Phone, store *ledger.Store) (done string, err error) {
	if p.From != config.FromGeeLark {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, sweepMost)
	defer cancel()
	v, err := vendor(p)
	if err != nil {
		return "", err
	}
	stopped, err := phonepost.Sweep(ctx, store, v)
	if len(stopped) > 0 {
		done = fmt.Sprintf("%s stopped that had been left running: %s", count(len(stopped), "phone was", "phones were"), strings.Join(stopped, ", "))
	}
	return done, err
}

// phoneCommand is what a worker process of the phone publisher runs.
func (a *app) phoneCommand() *cobra.Command {
	c := &cobra.Command{Use: "phone", Args: cobra.NoArgs}
	section := c.Flags().String("section", "{}", "the settings' section")
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		var said phoneSection
		if err := json.Unmarshal([]byte(*section), &said); err != nil {
			return usageError{err}
		}
		p := said.Phone
		signal.Ignore(os.Interrupt) // the supervisor decides what Ctrl-C means for a job that runs
		ctx := context.WithoutCancel(c.Context())
		log := slog.New(slog.NewJSONHandler(a.err, nil))
		port, err := appium.FreePort()
		if err != nil {
			return err
		}
		bridge := adb.New(p.ADB, port)
		defer func() { // it is not one of our children: it would stay
			ctx, cancel := context.WithTimeout(ctx, sweepMost)
			defer cancel()
			_ = bridge.Stop(ctx) // where none was started there is none to stop
		}()
		bay, err := phoneBay(p, bridge)
		if err != nil {
			return err
		}
		secrets := secretsOf(os.Environ(), config.Settings{}) // of the settings a worker knows the phone's alone
		var check func(video, caption string) *reel.Evidence
		if p.Check {
			check = checked
		}
		pub := phonepost.New(phonepost.Config{
			Bay: bay, ADB: bridge, Log: log,
			Appium: appium.Config{Home: p.Appium, Android: p.AndroidHome, Locks: p.Locks},
			Length: videoLength, Check: check,
			Guide: guide(said.Navigator),
			Keep:  &phonepost.Shelf{Dir: p.Evidence, Most: p.EvidenceKept, Bytes: p.EvidenceSize.Bytes(), Secrets: secrets},
		})
		defer func() { err = errors.Join(err, pub.Close()) }()
		if err := os.MkdirAll(p.Locks, 0o700); err != nil {
			return err
		}
		// A worker waits for a phone nearly all its life: collecting often costs it nothing, and many of them share a machine.
		debug.SetGCPercent(40)
		if err := worker.Serve(ctx, a.in, a.out, pub); !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}
	return c
}

// videoLength is a video's length as the gallery labels it; empty where the file does not tell.
func videoLength(path string) string {
	f, err := video.ReadFile(path)
	if err != nil || f.Duration == 0 {
		return ""
	}
	return f.Label()
}

func phoneBay(p config.Phone, bridge *adb.Client) (phonepost.Bay, error) {
	if p.From == config.FromDevices {
		serials := map[string]string{}
		for _, d := range p.Devices {
			account, serial, _ := config.Device(d)
			serials[account] = serial
		}
		return &phonepost.Devices{ADB: bridge, Serials: serials}, nil
	}
	v, err := vendor(p)
	if err != nil {
		return nil, err
	}
	return &phonepost.Cloud{Vendor: v, ADB: bridge}, nil
}

// examinePhone checks what the phone publisher needs on this machine, and GeeLark's credential.
func (a *app) examinePhone(ctx context.Context, s config.Settings) []finding {
	if s.Publisher != config.PublisherPhone {
		return nil
	}
	p := absolute(s.Phone)
	all := []finding{examineADB(ctx, p), examineNode(ctx), examineAppium(p)}
	if model := s.Navigator.Model; model != "" {
		all = append(all, finding{Check: "navigator", OK: os.Getenv(envClaudeKey) != "", Text: model + " is asked about screens that no rule knows, with the key in " + envClaudeKey})
	}
	if p.From != config.FromGeeLark {
		return all
	}
	v, err := vendor(p)
	if err == nil {
		err = v.Check(ctx)
	}
	if err != nil {
		return append(all, bad("geelark", err))
	}
	return append(all, finding{Check: "geelark", OK: true, Text: v.String() + " knows the credential"})
}

// anyPort is for commands of adb that speak to no server.
const anyPort = 5037

func examineADB(ctx context.Context, p config.Phone) finding {
	v, err := adb.New(p.ADB, anyPort).Version(ctx)
	if err != nil {
		return finding{Check: "adb", Text: err.Error(), Hint: "apt-get install adb"}
	}
	tool := filepath.Join(p.AndroidHome, "platform-tools", "adb")
	if _, err := os.Stat(tool); err != nil {
		return finding{Check: "adb", Text: "Appium looks for " + tool + ", which is not there", Hint: "name the folder with platform-tools/adb in phone.android_home"}
	}
	return finding{Check: "adb", OK: true, Text: "adb " + v}
}

// The versions that were tried; the driver needs this Node.js or a later one.
const appiumInstall = "npm install --ignore-scripts --prefix %s appium@3.8.0 appium-uiautomator2-driver@8.7.0"

func examineNode(ctx context.Context) finding {
	out, err := exec.CommandContext(ctx, "node", "--version").Output()
	if err != nil {
		return finding{Check: "node", Text: "Node.js cannot be run: " + err.Error(), Hint: "install Node.js 20.19 or later"}
	}
	text := strings.TrimSpace(string(out))
	var major, minor int
	if _, err := fmt.Sscanf(text, "v%d.%d", &major, &minor); err != nil || major < 20 || major == 20 && minor < 19 {
		return finding{Check: "node", Text: "Node.js " + text + " is too old", Hint: "install Node.js 20.19 or later"}
	}
	return finding{Check: "node", OK: true, Text: "Node.js " + text}
}

func examineAppium(p config.Phone) finding {
	var versions []string
	for _, name := range []string{"appium", "appium-uiautomator2-driver"} {
		data, err := os.ReadFile(filepath.Join(p.Appium, "node_modules", name, "package.json"))
		var pkg struct {
			Version string `json:"version"`
		}
		if err == nil {
			err = json.Unmarshal(data, &pkg)
		}
		if err != nil {
			return finding{Check: "appium", Text: name + " is not installed in " + p.Appium, Hint: fmt.Sprintf(appiumInstall, p.Appium)}
		}
		versions = append(versions, name+" "+pkg.Version)
	}
	return finding{Check: "appium", OK: true, Text: strings.Join(versions, ", ")}
}

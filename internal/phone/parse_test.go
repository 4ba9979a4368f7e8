package phone_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"reelpass/internal/phone"
)

const dumped = `<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>
<hierarchy rotation="0">
  <node index="0" text="" resource-id="" class="android.widget.FrameLayout" package="com.instagram.android" content-desc="" clickable="false" enabled="true" bounds="[0,0][720,1280]">
    <node text="Share &amp; go&#10;now" resource-id="com.instagram.android:id/share_button" class="android.widget.Button" package="com.instagram.android" content-desc="Share" clickable="true" enabled="true" focused="true" bounds="[20,1100][700,1180]" />
  </node>
</hierarchy>`

const served = `<hierarchy><android.widget.EditText text="héllo 👋" password="true" bounds="[-4,10][20,30]" class="android.widget.EditText"/></hierarchy>`

func TestParse(t *testing.T) {
	s, err := phone.Parse(strings.NewReader(dumped))
	if err != nil || len(s.Nodes) != 2 {
		t.Fatalf("%d nodes, %v", len(s.Nodes), err)
	}
	want := phone.Node{
		ID: "com.instagram.android:id/share_button", Class: "android.widget.Button", Package: "com.instagram.android",
		Text: "Share & go\nnow", Desc: "Share", Bounds: phone.Rect{X1: 20, Y1: 1100, X2: 700, Y2: 1180},
		Clickable: true, Enabled: true, Focused: true,
	}
	if s.Nodes[1] != want {
		t.Errorf("%+v", s.Nodes[1])
	}
	if c := s.Nodes[1].Bounds.Center(); c != (phone.Point{X: 360, Y: 1140}) {
		t.Errorf("center %v", c)
	}
	s, err = phone.Parse(strings.NewReader(served))
	if err != nil || len(s.Nodes) != 1 {
		t.Fatalf("%d nodes, %v", len(s.Nodes), err)
	}
	n := s.Nodes[0]
	if n.Text != "héllo 👋" || !n.Private || n.Bounds != (phone.Rect{X1: -4, Y1: 10, X2: 20, Y2: 30}) || n.Class != "android.widget.EditText" {
		t.Errorf("%+v", n)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "prose": "error: you should run glogin to login first", "another tree": "<html/>",
		"cut off": dumped[:200], "another encoding": `<?xml version="1.0" encoding="EUC-JP"?><hierarchy/>`, "too many": "<hierarchy>" + strings.Repeat("<node/>", 20_001) + "</hierarchy>",
	} {
		if _, err := phone.Parse(strings.NewReader(text)); !errors.Is(err, phone.ErrNoScreen) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(dumped)))
	if _, err := phone.Parse(broken); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("a reader that fails: %v", err)
	}
	if _, err := phone.Parse(io.LimitReader(strings.NewReader(served), 20)); !errors.Is(err, phone.ErrNoScreen) {
		t.Errorf("a cut element: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(dumped)
	f.Add(served)
	f.Add(`<hierarchy><node bounds="[1,2][99999999999999999999,4]"/></hierarchy>`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := phone.Parse(strings.NewReader(text))
		if err != nil && !errors.Is(err, phone.ErrNoScreen) {
			t.Errorf("a text can only be no screen, not %v", err)
		}
		if err != nil && len(s.Nodes) > 0 {
			t.Error("half a screen beside an error")
		}
	})
}

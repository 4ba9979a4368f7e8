package worker

import (
	"testing"

	"reelpass/internal/reel"
)

// Identifiers and codes are often written as numbers, and some are too large for a float.
func TestAnswersMayHoldNumbers(t *testing.T) {
	m, ok, err := decodeAnswer([]byte(`{"type":"posted","receipt":{"id":17895695668004551,"url":"https://x/1"}}`))
	if err != nil || !ok || m.Receipt == nil || m.Receipt.ID != "17895695668004551" || m.Receipt.URL != "https://x/1" {
		t.Errorf("%+v %v", m.Receipt, err)
	}
	m, ok, err = decodeAnswer([]byte(`{"type":"failed","evidence":{"source":"http","code":-524,"text":"bad gateway","step":"upload"}}`))
	if err != nil || !ok || m.Evidence == nil || m.Evidence.Code != "-524" || m.Evidence.Text != "bad gateway" || m.Evidence.Step != "upload" {
		t.Errorf("%+v %v", m.Evidence, err)
	}
	for raw, want := range map[string]string{`90`: "90", `1.5`: "1.5", `"90s"`: "90s", `null`: "", `"2026-11-26T14:05:00Z"`: "2026-11-26T14:05:00Z"} {
		m, ok, err = decodeAnswer([]byte(`{"type":"failed","evidence":{"text":"slow down","retry_after":` + raw + `,"holds":"publisher"}}`))
		if err != nil || !ok || m.Evidence.RetryAfter != want || m.Evidence.Holds != "publisher" {
			t.Errorf("%s: %+v %v", raw, m.Evidence, err)
		}
		kept := (&Client{}).evidence(reel.Evidence{RetryAfter: want, Holds: "everything"})
		if kept.RetryAfter != want || kept.Holds != "" {
			t.Errorf("kept: %+v", kept)
		}
	}
	if _, _, err = decodeAnswer([]byte(`{"type":"posted","receipt":{"id":[1]}}`)); err == nil {
		t.Error("a list is taken for an id")
	}
}

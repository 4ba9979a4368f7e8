package worker

import "testing"

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
	if _, _, err = decodeAnswer([]byte(`{"type":"posted","receipt":{"id":[1]}}`)); err == nil {
		t.Error("a list is taken for an id")
	}
}

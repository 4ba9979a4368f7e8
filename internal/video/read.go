package video

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/abema/go-mp4"
)

// Facts are what a video file says of itself.
type Facts struct {
	Container string // mp4, mov, or the brand that the file names
	Size      int64  // bytes
	Duration  time.Duration
	MoovLast  bool // the index stands behind the pictures: nobody can begin to play before all is there
	Edits     bool // an edit list cuts, delays or repeats something; one that only starts at an encoder's delay is none
	Fragments bool // it is written in fragments
	Picture   *Picture
	Sound     *Sound // nil where there is none
}

// Picture is the first video track.
type Picture struct {
	Codec         string // h264, hevc, or the four letters of another
	Width, Height int    // as it is shown, turned where the file says so
	FrameRate     float64
	Chroma        string // 4:2:0 and the like; empty where not known
	Duration      time.Duration
}

// Sound is the first audio track.
type Sound struct {
	Codec    string // aac, or the four letters of another
	Rate     int    // samples a second
	Channels int
}

// BitRate is the average of everything, in bits a second; 0 where the duration is not known.
func (f Facts) BitRate() float64 {
	if f.Duration <= 0 {
		return 0
	}
	return float64(f.Size) * 8 / f.Duration.Seconds()
}

// ReadFile reads a file's facts. See Read.
func ReadFile(path string) (Facts, error) {
	f, err := os.Open(path)
	if err != nil {
		return Facts{}, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return Facts{}, err
	}
	if info.IsDir() {
		return Facts{}, &Unreadable{"it is a folder"}
	}
	return Read(f, info.Size())
}

// Unreadable says in words why a file is no video that can be looked at.
type Unreadable struct{ Why string }

func (e *Unreadable) Error() string { return e.Why }

func unreadable(format string, args ...any) error { return &Unreadable{fmt.Sprintf(format, args...)} }

// Bounds of what a file may make us do. A film of hours stays far below them.
const (
	mostBoxes   = 20_000
	mostPayload = 4 << 20 // of a box that is read as a whole
	mostDepth   = 12
)

// Read reads what a video of size bytes says of itself. The error is *Unreadable where that is nothing, else one of r.
func Read(r io.ReaderAt, size int64) (Facts, error) {
	if size == 0 {
		return Facts{}, unreadable("the file is empty")
	}
	p := &reader{at: r, size: size, facts: Facts{Size: size}}
	section := io.NewSectionReader(r, 0, size)
	if err := p.begins(section); err != nil {
		return p.facts, err
	}
	if _, err := mp4.ReadBoxStructure(section, p.box); err != nil {
		var own *Unreadable
		switch {
		case errors.As(err, &own):
			return p.facts, own
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return p.facts, unreadable("the file is cut off or damaged")
		}
		return p.facts, unreadable("the file is damaged: %v", err)
	}
	return p.facts, p.finish()
}

type reader struct {
	at    io.ReaderAt
	size  int64
	facts Facts
	boxes int
	scale uint32 // of the film
	units uint64 // its duration
	mdat  int64  // where the pictures begin, 0 while not seen
	moov  bool
	track *track
}

// track is a trak that is being read.
type track struct {
	handler  string
	turned   bool
	scale    uint32
	units    uint64
	samples  uint64 // with stretch, from the table of times
	stretch  uint64
	edits    []mp4.ElstEntry
	version  uint8 // of the edit list
	codec    string
	w, h     int
	chroma   string
	rate     int
	channels int
}

// begins refuses what is no such file at its first bytes: that is mostly a page that was saved instead of the video.
func (p *reader) begins(r io.ReadSeeker) error {
	head := make([]byte, min(16, p.size))
	if _, err := io.ReadFull(r, head); err != nil {
		return err
	}
	if len(head) >= 8 {
		switch string(head[4:8]) {
		case "ftyp", "moov", "mdat", "free", "skip", "wide", "pnot", "styp":
			return nil
		}
	}
	return unreadable("it is no MP4 or MOV file: it begins with %s", quoted(head))
}

func quoted(head []byte) string {
	for _, b := range head {
		if b < ' ' && b != '\n' && b != '\r' && b != '\t' || b > '~' {
			return fmt.Sprintf("the bytes % x", head[:min(8, len(head))])
		}
	}
	return fmt.Sprintf("%q", strings.TrimSpace(string(head)))
}

// inside are the boxes whose content is looked into.
func inside(b mp4.BoxType) bool {
	switch b.String() {
	case "moov", "trak", "mdia", "minf", "stbl", "edts", "stsd", "avc1", "avc3", "hvc1", "hev1", "mp4a", "mvex":
		return true
	}
	return false
}

func (p *reader) box(h *mp4.ReadHandle) (any, error) {
	b := h.BoxInfo
	kind := b.Type.String()
	if p.boxes++; p.boxes > mostBoxes || len(h.Path) > mostDepth {
		return nil, unreadable("the file is damaged: it has more parts than a video has")
	}
	if b.Size < b.HeaderSize || b.Offset+b.Size < b.Offset {
		return nil, unreadable("the file is damaged: its part %q has an impossible size", kind)
	}
	if end := b.Offset + b.Size; end > uint64(p.size) {
		if kind == "mdat" || len(h.Path) == 1 {
			return nil, unreadable("the file is cut off: its part %q should go on for %d bytes", kind, end-uint64(p.size))
		}
		return nil, unreadable("the file is damaged: its part %q is larger than the file", kind)
	}
	switch kind {
	case "mdat":
		if p.mdat == 0 {
			p.mdat = int64(b.Offset) + 1
		}
		return nil, nil
	case "moov":
		p.moov = true
		p.facts.MoovLast = p.mdat > 0
	case "moof":
		p.facts.Fragments = true
		return nil, nil
	case "trak":
		t, outer := &track{}, p.track // a damaged file may have one in another
		p.track = t
		_, err := h.Expand()
		p.track = outer
		p.keep(t)
		return nil, err
	}
	if len(h.Path) > 1 && h.Path[len(h.Path)-2].String() == "stsd" {
		if err := p.entry(b); err != nil {
			return nil, err
		}
	}
	if !known(kind) && !inside(b.Type) {
		return nil, nil
	}
	if b.Size > mostPayload && kind != "moov" && kind != "trak" && !container(kind) {
		return nil, unreadable("the file is damaged: its part %q is larger than any such part is", kind)
	}
	if !container(kind) && b.IsSupportedType() {
		payload, _, err := h.ReadPayload()
		if err != nil {
			return nil, err
		}
		p.read(payload)
	}
	if inside(b.Type) {
		_, err := h.Expand()
		return nil, err
	}
	return nil, nil
}

// container are boxes that only hold others.
func container(kind string) bool {
	switch kind {
	case "moov", "trak", "mdia", "minf", "stbl", "edts", "mvex":
		return true
	}
	return false
}

// known are the boxes that are read.
func known(kind string) bool {
	switch kind {
	case "ftyp", "mvhd", "mehd", "tkhd", "mdhd", "hdlr", "elst", "stts", "stsd", "avcC", "hvcC", "esds":
		return true
	}
	return false
}

func (p *reader) read(payload mp4.IBox) {
	switch b := payload.(type) {
	case *mp4.Ftyp:
		p.facts.Container = brand(b)
		return
	case *mp4.Mvhd:
		p.scale, p.units = b.Timescale, b.GetDuration()
		return
	case *mp4.Mehd:
		p.units = max(p.units, b.GetFragmentDuration())
		return
	}
	t := p.track
	if t == nil {
		return
	}
	switch b := payload.(type) {
	case *mp4.Tkhd:
		t.turned = b.Matrix[0] == 0 && b.Matrix[1] != 0 // a quarter turn swaps what is wide and what is high
	case *mp4.Mdhd:
		t.scale, t.units = b.Timescale, b.GetDuration()
	case *mp4.Hdlr:
		if t.handler == "" { // a minf of QuickTime has another one
			t.handler = string(b.HandlerType[:])
		}
	case *mp4.Elst:
		t.edits, t.version = b.Entries, b.GetVersion()
	case *mp4.Stts:
		for _, e := range b.Entries {
			t.samples += uint64(e.SampleCount)
			t.stretch += uint64(e.SampleCount) * uint64(e.SampleDelta)
		}
	case *mp4.AVCDecoderConfiguration:
		switch {
		case b.Profile == 244 || b.Profile == 44: // High 4:4:4, and CAVLC 4:4:4 Intra
			t.chroma = chroma(3)
		case b.HighProfileFieldsEnabled:
			t.chroma = chroma(b.ChromaFormat)
		default:
			t.chroma = chroma(1)
		}
	case *mp4.Esds:
		for _, d := range b.Descriptors {
			if d.Tag == mp4.DecSpecificInfoTag {
				t.sound(d.Data)
			}
		}
	case *mp4.HvcC:
		t.chroma = chroma(b.ChromaFormatIdc)
	}
}

// entry reads the fixed part of a track's first sample entry, which says how it is coded. It is the same for every code.
func (p *reader) entry(b mp4.BoxInfo) error {
	t := p.track
	if t == nil || t.codec != "" {
		return nil
	}
	t.codec = b.Type.String()
	var head [28]byte
	if b.Size-b.HeaderSize < uint64(len(head)) {
		return nil
	}
	if _, err := p.at.ReadAt(head[:], int64(b.Offset+b.HeaderSize)); err != nil {
		return err
	}
	half := func(at int) int { return int(head[at])<<8 | int(head[at+1]) }
	t.w, t.h = half(24), half(26)
	t.channels, t.rate = half(16), half(24)
	return nil
}

// sound reads AAC's own words (AudioSpecificConfig, ISO 14496-3 1.6.2): what the sample entry says of channels is often a mere template.
func (t *track) sound(config []byte) {
	if len(config) < 2 {
		return
	}
	bits, at := func(at, n int) int {
		v := 0
		for i := at; i < at+n && i < 8*len(config); i++ {
			v = v<<1 | int(config[i/8]>>(7-i%8)&1)
		}
		return v
	}, 5
	if bits(0, 5) == 31 {
		at = 11
	}
	rates := []int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
	index := bits(at, 4)
	at += 4
	switch {
	case index == 15:
		t.rate = bits(at, 24)
		at += 24
	case index < len(rates):
		t.rate = rates[index]
	}
	switch n := bits(at, 4); {
	case n >= 1 && n <= 6:
		t.channels = n
	case n == 7:
		t.channels = 8
	}
}

func chroma(format uint8) string {
	return map[uint8]string{0: "4:0:0", 1: "4:2:0", 2: "4:2:2", 3: "4:4:4"}[format]
}

func brand(b *mp4.Ftyp) string {
	major := strings.TrimSpace(string(b.MajorBrand[:]))
	if major == "qt" {
		return "mov"
	}
	for _, name := range []string{"isom", "iso2", "iso4", "iso5", "iso6", "mp41", "mp42", "avc1", "M4V", "M4VH", "M4VP", "MSNV", "dash", "f4v"} {
		if major == name {
			return "mp4"
		}
	}
	for _, c := range b.CompatibleBrands {
		if name := strings.TrimSpace(string(c.CompatibleBrand[:])); name == "isom" || name == "mp41" || name == "mp42" {
			return "mp4"
		}
	}
	return major
}

// keep takes a track that was read to its end: the first of a kind counts.
func (p *reader) keep(t *track) {
	switch {
	case t.handler == "vide" && p.facts.Picture == nil:
		v := &Picture{Codec: codec(t.codec), Width: t.w, Height: t.h, Chroma: t.chroma, Duration: span(t.units, t.scale)}
		if t.turned {
			v.Width, v.Height = v.Height, v.Width
		}
		if t.stretch > 0 {
			v.FrameRate = float64(t.samples) * float64(t.scale) / float64(t.stretch)
		}
		p.facts.Picture = v
	case t.handler == "soun" && p.facts.Sound == nil:
		p.facts.Sound = &Sound{Codec: codec(t.codec), Rate: t.rate, Channels: t.channels}
	}
	p.facts.Edits = p.facts.Edits || t.edited()
}

// edited says that an edit list does more than to leave out the first moments, which encoders put there and every player leaves out.
func (t *track) edited() bool {
	const delay = 250 * time.Millisecond
	if len(t.edits) == 0 {
		return false
	}
	e := t.edits[0]
	start := int64(e.MediaTimeV0)
	if t.version == 1 {
		start = e.MediaTimeV1
	}
	return len(t.edits) > 1 || start < 0 || e.MediaRateInteger != 1 || span(uint64(start), t.scale) > delay
}

func codec(entry string) string {
	switch entry {
	case "avc1", "avc3":
		return "h264"
	case "hvc1", "hev1":
		return "hevc"
	case "mp4a":
		return "aac"
	}
	return entry
}

// span is a number of units as time; one that no film lasts is none.
func span(units uint64, scale uint32) time.Duration {
	if scale == 0 {
		return 0
	}
	seconds := float64(units) / float64(scale)
	if seconds > 1e7 {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}

func (p *reader) finish() error {
	f := &p.facts
	if !p.moov {
		return unreadable("the file is cut off: the index of the video (moov) is missing")
	}
	if f.Picture == nil {
		return unreadable("there is no picture in it")
	}
	if f.Container == "" {
		f.Container = "mov" // older than brands
	}
	f.Duration = max(span(p.units, p.scale), f.Picture.Duration)
	return nil
}

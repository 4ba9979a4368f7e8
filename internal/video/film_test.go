package video_test

import (
	"bytes"
	"encoding/binary"
)

// film is what a file is built from that has nothing in it but what is read.
type film struct {
	brand        string
	scale        uint32
	units        uint32 // of the film
	codec        string
	w, h         uint16
	profile      byte // of avcC
	frames       uint32
	delta        uint32
	turned       bool
	edits        [][2]int32 // duration, media time
	audio        string
	rate         uint32
	channels     uint16
	config       []byte // AudioSpecificConfig
	mdat         int
	last         bool // the index is behind the pictures
	withoutVideo bool
}

// usual is one that Instagram likes.
func usual() film {
	return film{brand: "isom", scale: 1000, units: 31_400, codec: "avc1", w: 1080, h: 1920, profile: 77, frames: 942, delta: 33, audio: "mp4a", rate: 44100, channels: 2, mdat: 1000}
}

func box(kind string, parts ...any) []byte {
	var b bytes.Buffer
	b.Write([]byte{0, 0, 0, 0})
	b.WriteString(kind)
	for _, p := range parts {
		switch v := p.(type) {
		case string:
			b.WriteString(v)
		case int: // so many zeros
			b.Write(make([]byte, v))
		default:
			_ = binary.Write(&b, binary.BigEndian, v)
		}
	}
	binary.BigEndian.PutUint32(b.Bytes(), uint32(b.Len()))
	return b.Bytes()
}

func full(kind string, parts ...any) []byte { return box(kind, append([]any{uint32(0)}, parts...)...) }

func (f film) bytes() []byte {
	one := uint32(0x10000)
	matrix := []uint32{one, 0, 0, 0, one, 0, 0, 0, 0x40000000}
	if f.turned {
		matrix = []uint32{0, one, 0, 0xffff0000, 0, 0, 0, 0, 0x40000000}
	}
	var tracks []byte
	if !f.withoutVideo {
		entry := box(f.codec, 6, uint16(1), 16, f.w, f.h, 50, box("avcC", []byte{1, f.profile, 0, 31, 0xff, 0xe0, 0}))
		var edts []byte
		if f.edits != nil {
			list := []any{uint32(len(f.edits))}
			for _, e := range f.edits {
				list = append(list, uint32(e[0]), e[1], int16(1), int16(0))
			}
			edts = box("edts", full("elst", list...))
		}
		tracks = append(tracks, box("trak",
			full("tkhd", 4, 4, uint32(1), 4, f.units, 8, 8, matrix, uint32(f.w)<<16, uint32(f.h)<<16), edts,
			box("mdia", full("mdhd", 4, 4, f.scale, f.units, 4), full("hdlr", 4, "vide", 12, "\x00"),
				box("minf", box("stbl", full("stsd", uint32(1), entry), full("stts", uint32(1), f.frames, f.delta)))))...)
	}
	if f.audio != "" {
		var esds []byte
		if f.config != nil {
			n := byte(len(f.config))
			esds = full("esds", []byte{3, 3 + 2 + 13 + 2 + n, 0, 1, 0, 4, 13 + 2 + n, 0x40, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, n}, f.config)
		}
		entry := box(f.audio, 6, uint16(1), 8, f.channels, uint16(16), 4, f.rate<<16, esds)
		tracks = append(tracks, box("trak",
			full("tkhd", 4, 4, uint32(2), 4, f.units, 8, 8, matrix, 8),
			box("mdia", full("mdhd", 4, 4, f.rate, f.units, 4), full("hdlr", 4, "soun", 12, "\x00"), box("minf", box("stbl", full("stsd", uint32(1), entry)))))...)
	}
	moov := box("moov", full("mvhd", 4, 4, f.scale, f.units, uint32(0x10000), uint16(0x100), 10, matrix, 24, uint32(3)), tracks)
	mdat := box("mdat", f.mdat)
	var all []byte
	if f.brand != "" {
		all = box("ftyp", f.brand+string(make([]byte, 4-len(f.brand))), 4, "isom")
	}
	if f.last {
		return append(append(all, mdat...), moov...)
	}
	return append(append(all, moov...), mdat...)
}

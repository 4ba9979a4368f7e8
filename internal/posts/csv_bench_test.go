package posts_test

import (
	"bytes"
	"fmt"
	"testing"

	"reelpass/internal/posts"
)

func manyRows(n int, quoted bool) []byte {
	var b bytes.Buffer
	b.WriteString("account,video_path,caption\n")
	for i := range n {
		if quoted {
			fmt.Fprintf(&b, "acc%d,/videos/2025/clip_%06d.mp4,\"New clip, number %d\nof \"\"many\"\" #reels\"\n", i%500, i, i)
		} else {
			fmt.Fprintf(&b, "acc%d,/videos/2025/clip_%06d.mp4,New clip number %d of many #reels\n", i%500, i, i)
		}
	}
	return b.Bytes()
}

func BenchmarkReadCSV(b *testing.B) {
	for _, quoted := range []bool{false, true} {
		b.Run(fmt.Sprintf("quoted=%t", quoted), func(b *testing.B) {
			const rows = 100_000
			data := manyRows(rows, quoted)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for _, err := range posts.ReadCSV(bytes.NewReader(data), posts.Options{}) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != rows {
					b.Fatalf("%d rows, want %d", n, rows)
				}
			}
			perRow := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / rows
			b.ReportMetric(perRow, "ns/row")
			b.ReportMetric(1e9/perRow, "rows/s")
		})
	}
}

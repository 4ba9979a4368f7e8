package simphone

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"unicode/utf8"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont" // a font that is part of the program: pictures look the same everywhere
	"golang.org/x/image/math/fixed"

	"reelpass/internal/phone"
)

// Picture is a PNG of the screen: a box for each element, with what is written on it.
func (p *Phone) Picture() []byte { return Draw(p.Screen()) }

// Draw draws a screen.
func Draw(s phone.Screen) []byte {
	img := image.NewPaletted(image.Rect(0, 0, Width, Height), color.Palette{
		color.RGBA{250, 250, 250, 255}, color.RGBA{200, 200, 205, 255}, color.RGBA{225, 235, 250, 255}, color.RGBA{20, 20, 25, 255},
	})
	paper, line, button, ink := image.NewUniform(img.Palette[0]), image.NewUniform(img.Palette[1]), image.NewUniform(img.Palette[2]), image.NewUniform(img.Palette[3])
	draw.Draw(img, img.Bounds(), paper, image.Point{}, draw.Src)
	for _, n := range s.Nodes {
		box := image.Rect(n.Bounds.X1, n.Bounds.Y1, n.Bounds.X2, n.Bounds.Y2)
		fill := paper
		if n.Clickable {
			fill = button
		}
		draw.Draw(img, box, line, image.Point{}, draw.Src)
		draw.Draw(img, box.Inset(1), fill, image.Point{}, draw.Src)
		text := n.Text
		if text == "" {
			text = n.Desc
		}
		write(img, ink, box, text)
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img) // a buffer takes everything
	return b.Bytes()
}

// write puts as much of a text into a box as fits.
func write(img draw.Image, ink image.Image, box image.Rectangle, text string) {
	const margin, width, height = 4, 7, 13
	d := font.Drawer{Dst: img, Src: ink, Face: basicfont.Face7x13}
	perLine := (box.Dx() - 2*margin) / width
	for y := box.Min.Y + margin + height; perLine > 0 && text != "" && y < box.Max.Y+height/2; y += height {
		line := text
		if utf8.RuneCountInString(line) > perLine {
			line = string([]rune(line)[:perLine])
		}
		text = text[len(line):]
		d.Dot = fixed.P(box.Min.X+margin, y)
		d.DrawString(line)
	}
}

// Package video knows what a video file says of itself, and what Instagram takes: container, codecs, sizes, times, and captions.
//
// It reads headers and never the pictures, so a file of any size costs the same, and decides nothing about a job: what a problem
// means for it is fault's. Boxes are read by github.com/abema/go-mp4, which reads them from a seekable file as they are asked for;
// github.com/Eyevinn/mp4ff knows more and decodes whole trees, which nobody here needs. How videos come to this machine is media's.
package video

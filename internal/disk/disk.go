package disk

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// google/renameio and natefinch/atomic do the same but for the last step: they do not sync the folder, without which a new name may be gone after a
// power cut.

// File is one that is being written. Its errors name the file that it becomes.
type File struct {
	part *os.File
	path string
}

// Write adds to the file.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.part.Write(p)
	return n, f.named(err)
}

// Part is the name under which the file lies while it is written, in the same folder, for a program that wants a name.
func (f *File) Part() string { return f.part.Name() }

// named takes the name of a part, which soon is none, out of an error.
func (f *File) named(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok && at.Path == f.part.Name() {
		return &fs.PathError{Op: at.Op, Path: f.path, Err: at.Err}
	}
	return err
}

// Write has a file written and gives it its name once all of it is on the disk, in the place of what had it before. mode is what a new file
// may be used for, less the umask. After an error the old file is there as it was, but for one of the last step: then the new one may be.
func Write(path string, mode fs.FileMode, write func(*File) error) (err error) {
	part, err := os.OpenFile(filepath.Join(filepath.Dir(path), ".reelpass-"+rand.Text()), os.O_CREATE|os.O_EXCL|os.O_RDWR, mode)
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: at.Op, Path: path, Err: at.Err}
	}
	if err != nil {
		return err
	}
	f := &File{part, path}
	placed := false
	defer func() {
		err = errors.Join(err, f.named(part.Close()))
		if !placed {
			_ = os.Remove(part.Name()) // what could not be written is of no use to anybody
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	placed, err = place(part, path)
	return f.named(err)
}

// Place gives an open file another name, in the place of what had it before, once all of it is on the disk. Both names are on one file system.
func Place(f *os.File, path string) error {
	_, err := place(f, path)
	return err
}

func place(f *os.File, path string) (placed bool, err error) {
	if err := f.Sync(); err != nil {
		return false, err
	}
	err = os.Rename(f.Name(), path)
	if at, ok := errors.AsType[*os.LinkError](err); ok {
		return false, &fs.PathError{Op: at.Op, Path: path, Err: at.Err}
	}
	if err != nil {
		return false, err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return true, err
	}
	err = folder.Sync()
	if errors.Is(err, syscall.EINVAL) { // a file system that has no such thing
		err = nil
	}
	return true, errors.Join(err, folder.Close())
}

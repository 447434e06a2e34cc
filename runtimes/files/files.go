// Package files says what a process can open. In goes a name and an operation; out come bytes, or an error that says in
// the words of POSIX why not.
//
// A [Tree] is a folder and all below it. Each of its operations has the context of the process that asks, so that none
// outlives it. A tree that can only be read embeds [ReadOnly], and is known as such to [IsReadOnly]. [Static] makes
// one of content in memory, [FS] one of an io/fs.FS, and [Memory] is one that can be written. The suite in filestest
// says the same as tests, with the operating system as the oracle.
//
// An operation that takes its time is one of two kinds. By default a runtime gives each operation a goroutine and
// buffers of its own: a process that comes to its deadline leaves it behind, whatever it does. A tree that has the
// method of [Inline] is trusted to return at once, or to wait by [Wait]: its operations cost no more than a call.
package files

import (
	"context"
	"io/fs"
	"syscall"
	"time"
)

// Tree is a folder with all that is below it. Names are those of package io/fs: relative, clean, with slashes, "." for
// the tree itself (see fs.ValidPath); anything else is fs.ErrInvalid. All methods may be called from several
// goroutines.
//
// # Contexts
//
// A context is that of the process, or of what is left of it after its end, and has no values but what Wait needs. An
// operation should end with it. It must not keep the context, nor the bytes that it was given, after it has returned.
//
// # Errors
//
// In the sense of errors.Is: fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, fs.ErrInvalid, fs.ErrClosed,
// errors.ErrUnsupported, the errors of this package, those of the context, or any syscall.Errno. What is none of these
// is an I/O error to the process.
type Tree interface {
	// Open opens a file as the flags say. Only with Create is one made, in a folder that exists. With Exclusive there
	// must be none. A folder is ErrIsDir: what is in it is known by ReadDir.
	Open(ctx context.Context, name string, how Flags) (File, error)

	// Stat describes what has a name. Links are followed.
	Stat(ctx context.Context, name string) (Info, error)

	// ReadDir returns what is in a folder, in any order. The caller may change the slice.
	ReadDir(ctx context.Context, name string) ([]Entry, error)

	// Mkdir makes a folder in one that exists.
	Mkdir(ctx context.Context, name string) error

	// Remove removes a file, or a folder if nothing is in it. Files that are open stay what they are until they are
	// closed.
	Remove(ctx context.Context, name string) error

	// Rename gives a file or folder another name. It replaces a file, or a folder that is empty, of that name. Both
	// must be of the same kind. A folder cannot be moved into itself, which is fs.ErrInvalid.
	Rename(ctx context.Context, from, to string) error

	// SetTime sets when something was last changed. A tree that keeps no times may ignore it.
	SetTime(ctx context.Context, name string, t time.Time) error
}

// File is an open file. One goroutine at a time uses it. What is said of Tree about contexts and errors holds here too;
// an operation that the file was not opened for is ErrBadFile.
type File interface {
	// Stat describes the file as it is now.
	Stat(ctx context.Context) (Info, error)

	// ReadAt reads from some position, which is never below 0. It may read less than there is room for. At the end,
	// and beyond it, it returns io.EOF. A stream is read on from where it is, whatever the position.
	ReadAt(ctx context.Context, b []byte, at int64) (int, error)

	// WriteAt writes at some position, or with End behind all that there is. A gap is filled with zeros. If it writes
	// less than all, and without an error, it can be called again for the rest. A stream is written on from where it is.
	WriteAt(ctx context.Context, b []byte, at int64) (int, error)

	// Truncate makes the file shorter, or longer by zeros.
	Truncate(ctx context.Context, size int64) error

	// SetTime sets when the file was last changed. A tree that keeps no times may ignore it.
	SetTime(ctx context.Context, t time.Time) error

	// Sync returns when what was written so far is where it is to be, as far as that can be before the process has
	// ended.
	Sync(ctx context.Context) error

	// Close ends the use of the file, whatever it returns. It is called exactly once. Its context may have ended: then
	// it lets go of what the file holds, and of nothing more.
	Close(ctx context.Context) error
}

// End as a position of WriteAt is wherever the file ends.
const End int64 = -1

// Flags say how a file is opened. Read, Write or both are set.
type Flags uint8

// The flags.
const (
	Read      Flags = 1 << iota
	Write           // the file can be written
	Create          // it is made if it does not exist
	Exclusive       // with Create: fs.ErrExist if it exists
	Truncate        // with Write: what was in it is gone
)

// Has reports whether all of some flags are set.
func (f Flags) Has(some Flags) bool { return f&some == some }

// Info is what is known about a file or folder.
type Info struct {
	// Mode says by its type what it is. Permissions have no meaning.
	Mode fs.FileMode
	// Size is in bytes. That of a folder has no meaning.
	Size int64
	// ModTime is when it was last changed, or zero if nobody knows.
	ModTime time.Time
	// Stream means that there are no positions: it is read or written once, from its beginning.
	Stream bool
}

// IsDir reports whether it is a folder.
func (i Info) IsDir() bool { return i.Mode.IsDir() }

// Entry is a name in a folder.
type Entry struct {
	Name string
	// Mode says by its type what has the name.
	Mode fs.FileMode
}

// Linker is a Tree with symbolic links.
type Linker interface {
	Tree

	// Lstat is Stat that does not follow a link that the name is of.
	Lstat(ctx context.Context, name string) (Info, error)

	// ReadLink returns where a link leads. What is no link is fs.ErrInvalid.
	ReadLink(ctx context.Context, name string) (string, error)
}

// Mount is a tree at its place among the files of a process.
type Mount struct {
	// Path is where it is: absolute and clean, such as "/script".
	Path string
	// Tree is what is there. Nil is an empty folder, or what the context says that it is.
	Tree Tree
}

// The errors of trees that package io/fs has no names for. They are numbers of the operating system, so that what that
// says need not be translated.
const (
	ErrReadOnly    = syscall.EROFS
	ErrIsDir       = syscall.EISDIR
	ErrNotDir      = syscall.ENOTDIR
	ErrNotEmpty    = syscall.ENOTEMPTY
	ErrNoSpace     = syscall.ENOSPC
	ErrTooLarge    = syscall.EFBIG
	ErrNameTooLong = syscall.ENAMETOOLONG
	ErrOtherTree   = syscall.EXDEV
	ErrBusy        = syscall.EBUSY
	ErrBadFile     = syscall.EBADF
)

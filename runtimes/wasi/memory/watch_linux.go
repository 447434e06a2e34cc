package memory

import (
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// To ask the kernel which pages were written is a good part of what a short run costs. But a page becomes a region's
// own in a page fault of the thread that writes to it, and the kernel counts the faults of each thread. So if a run
// stays on one thread, and that has no fault, the pages are those that they were before; and to ask for the count
// costs half. That is the rule once a guest has touched the pages that it always touches.

// watch is what a region knows of the pages that are its own.
type watch struct {
	known  []run  // where they are
	used   uint64 // up to where they are known; 0: nothing is
	on     bool   // the goroutine is bound to a thread, and its faults are counted
	entry  *entry // the thread's, or nil
	faults uint64 // that the thread had had at Begin, or some time before
	quiet  bool   // and has had no more until End, since the last Restore
}

// Begin is called before a guest runs that may write to the region. Until End or Leave the goroutine stays on one
// thread, and no other goroutine may write to the region. Without Begin, the next Restore finds out for itself what
// was written.
func (r *Region) Begin() {
	if w := r.watch(); w != nil && w.used > 0 {
		runtime.LockOSThread()
		w.on, w.entry = true, threads.of(thread())
		if w.entry != nil {
			w.faults = w.entry.faults.Load()
		} else {
			w.faults = faults()
		}
	}
}

// Leave lets the goroutine of Begin go to other threads, as it must before it waits: nobody else gets its thread
// meanwhile. It does nothing without Begin, or a second time.
func (r *Region) Leave() {
	if w := r.watch(); w != nil && w.on {
		runtime.UnlockOSThread()
		w.on = false
		w.forget()
	}
}

// End is called when the guest has run, by the goroutine of Begin.
func (r *Region) End() {
	w := r.watch()
	if w == nil || !w.on {
		return
	}
	n := faults()
	if w.entry != nil {
		w.entry.faults.Store(n)
	}
	if n != w.faults {
		r.Leave()
		return
	}
	runtime.UnlockOSThread()
	w.on, w.quiet = false, true
}

// watch returns what there is to watch, or nil.
func (r *Region) watch() *watch {
	if r.pages == nil || r.image == nil || !r.image.file.counted {
		return nil
	}
	return &r.pages.watch
}

// sure reports whether the pages that are the region's own are those that are known. What was watched counts once.
func (w *watch) sure(used uint64) bool {
	sure := w.quiet && w.used == used
	w.quiet = false
	return sure
}

// forget is for when others become the region's own, or may have.
func (w *watch) forget() { w.known, w.used, w.quiet = w.known[:0], 0, false }

// faults returns how many page faults the thread has had: never the same number twice, if the kernel does not say.
func faults() uint64 {
	var u unix.Rusage
	if _, _, e := unix.RawSyscall(unix.SYS_GETRUSAGE, unix.RUSAGE_THREAD, uintptr(unsafe.Pointer(&u)), 0); e != 0 {
		return uint64(-time.Now().UnixNano())
	}
	return uint64(u.Minflt + u.Majflt)
}

// counts reports whether the kernel counts a fault of this thread when a page becomes a region's own. b is in a page
// that is not.
func counts(b *byte) bool {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := faults()
	*b++
	return faults() > before
}

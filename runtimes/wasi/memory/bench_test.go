package memory

import (
	"fmt"
	"sync"
	"testing"
)

// BenchmarkRestore writes a byte to each of some pages, as a guest does, and puts the region back.
func BenchmarkRestore(b *testing.B) {
	for _, d := range methods(b) {
		for _, size := range []uint64{64 << 10, 128 << 10, 192 << 10, 512 << 10, 1 << 20, 3 << 20, 54 << 20} {
			for _, pages := range []uint64{0, 2, 8, 128} {
				if pages > size/pageSize/2 {
					continue
				}
				b.Run(fmt.Sprintf("%s/%dK/%d", d, size>>10, pages), func(b *testing.B) {
					m := testImage(b, size, d)
					restoreOften(b, attached(b, m, size), pages)
				})
			}
		}
	}
}

// BenchmarkRestoreParallel does it in two regions of one image at once.
func BenchmarkRestoreParallel(b *testing.B) {
	for _, d := range methods(b) {
		for goroutines := 1; goroutines <= 2; goroutines++ {
			b.Run(fmt.Sprintf("%s/%d", d, goroutines), func(b *testing.B) {
				m := testImage(b, 128<<10, d)
				var wg sync.WaitGroup
				regions := make([]*Region, goroutines)
				for i := range regions {
					regions[i] = attached(b, m, 128<<10)
				}
				for _, r := range regions {
					wg.Go(func() { restoreOften(b, r, 3) })
				}
				wg.Wait()
			})
		}
	}
}

// restoreOften writes to pages that are spread over the image and puts them back, b.N times.
func restoreOften(b *testing.B, r *Region, pages uint64) {
	size := r.image.size
	content := r.Bytes(size)
	b.ReportAllocs()
	for i := range pages { // the faults of the first time are not of interest
		content[i*(size/pages)/pageSize*pageSize+8]++
	}
	b.ResetTimer()
	for range b.N {
		for i := range pages {
			content[i*(size/pages)/pageSize*pageSize+8]++
		}
		if err := r.Restore(size); err != nil {
			b.Error(err)
			return
		}
	}
}

// BenchmarkRestoreGrown does it with pages beyond the image, in a memory that grew.
func BenchmarkRestoreGrown(b *testing.B) {
	const image, grown = 128 << 10, 4 << 20
	for _, d := range methods(b) {
		for _, pages := range []uint64{1, 4, 16, 64, 256} {
			b.Run(fmt.Sprintf("%s/%d", d, pages), func(b *testing.B) {
				r := attached(b, testImage(b, image, d), grown)
				content := r.Bytes(grown)
				for range b.N {
					for i := range pages {
						content[image+2*i*pageSize] = 1
					}
					if err := r.Restore(grown); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkRestoreCold does it in many regions of an image in turn, so that none is in the processor's caches.
func BenchmarkRestoreCold(b *testing.B) {
	const size, regions = 64 << 10, 2048
	for _, d := range methods(b) {
		b.Run(fmt.Sprintf("%s/%dK", d, size>>10), func(b *testing.B) {
			m := testImage(b, size, d)
			all := make([]*Region, regions)
			for i := range all {
				all[i] = attached(b, m, size)
			}
			for i := range b.N + regions {
				if i == regions {
					b.ResetTimer()
				}
				r := all[i%regions]
				r.b[8]++
				r.b[5*pageSize]++
				if err := r.Restore(size); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkNewImage makes an image of a memory, attaches a region to it and drops both.
func BenchmarkNewImage(b *testing.B) {
	for _, size := range []uint64{128 << 10, 3 << 20, 54 << 20} {
		b.Run(fmt.Sprintf("%dK", size>>10), func(b *testing.B) {
			memory := content(size)
			r, err := Reserve(size)
			if err != nil {
				b.Fatal(err)
			}
			defer r.Free()
			for b.Loop() {
				m, err := NewImage(memory)
				if err != nil {
					b.Fatal(err)
				}
				if err := r.Attach(m); err != nil {
					b.Fatal(err)
				}
				m.Release()
				if err := r.Detach(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

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
				for range goroutines {
					r := attached(b, m, 128<<10)
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

package memory

import "os"

// An image can lie over another one, as the memories of all scripts do over that of their interpreter: it
// has the pages of its own that differ, and shares the others.

// span is a part of a memory, from and to the edge of a page.
type span struct{ from, to uint64 }

// mostSpans is of how many spans a layer is at most. Each becomes a mapping of its own in every region, and so does
// what is between two of them; Linux allows a process some 65,000 mappings.
const mostSpans = 64

// NewImageOver is NewImage for content that is mostly that of another image, base: the new image takes memory only for
// the pages that differ. It keeps a reference to base. Where images share nothing, it is NewImage.
func (p *Pool) NewImageOver(base *Image, content []byte) (*Image, error) {
	if base.under != nil || base.size == 0 || base.size > uint64(len(content)) || !base.shared() || !base.retain() {
		return p.NewImage(content)
	}
	return p.newImage(&Image{under: base}, content)
}

// spansOver returns where content differs from the image, and from zeros beyond it, page by page if these are not too
// many spans.
func (m *Image) spansOver(content []byte) []span {
	spans := m.differing(content, 0)
	for gap := uint64(os.Getpagesize()); len(spans) > mostSpans; gap *= 2 {
		spans = m.differing(content, gap)
	}
	return spans
}

// pagesIn returns a bit for each page that is in spans, in as many words.
func pagesIn(spans []span, words int) []uint64 {
	pages := make([]uint64, words)
	for _, s := range spans {
		for i := s.from / pageSize; i < s.to/pageSize; i++ {
			pages[i/64] |= 1 << (i % 64)
		}
	}
	return pages
}

// differing returns where content differs, as spans with more than a gap between them.
func (m *Image) differing(content []byte, gap uint64) []span {
	var spans []span
	page := uint64(max(pageSize, os.Getpagesize()))
	for at := uint64(0); at < uint64(len(content)); at += page {
		n := len(spans)
		switch {
		case m.same(content, at, at+page):
		case n > 0 && at-spans[n-1].to <= gap:
			spans[n-1].to = at + page
		default:
			spans = append(spans, span{at, at + page})
		}
	}
	return spans
}

// nonzeroIn returns how many pages of content are not zero in spans.
func nonzeroIn(spans []span, content []byte) (count uint64) {
	for _, s := range spans {
		for at := s.from; at < s.to; at += pageSize {
			if !isZero(content[at : at+pageSize]) {
				count++
			}
		}
	}
	return count
}

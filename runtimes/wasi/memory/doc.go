// Package memory keeps the linear memories of sandboxes, and puts them back to what they were.
//
// A [Region] is address space for one memory: zeros at first. A [Pool] keeps regions for the next
// memory. An [Image] is a content that any number of regions can share; a region that is attached to
// one begins with that content, and [Region.Restore] puts it back after a guest has written to it.
//
// # How a region is put back
//
// On Linux an image lies in a memory file, beside the others of its pool, and a region maps it privately: all regions
// of an image share its pages until they write to them. The file is written with pwrite alone, and no mapping of it
// can be written. A page that was written stays the region's own. Restore asks the kernel which pages those are and
// copies the image over just these, so that it costs as much as the guest wrote and, once a guest has touched the
// pages that it always touches, no page fault. What is known of a region is used as long as no new page can have
// become its own: see [Region.Begin]. The kernel is asked with the PAGEMAP_SCAN ioctl (Linux 6.7), or else by reading
// /proc/self/pagemap. Where neither works, memories above 1 MiB give their pages back and small ones are copied
// whole, as all are on other systems. An Image finds out by trying which way works, see [Image.Method].
package memory

package terminal

import (
	"fmt"
	"time"
)

// Bytes returns a number of bytes as people write it, in decimal units: "1.4 KB".
func Bytes(n int64) string {
	v, unit := float64(n), 0
	for ; v >= 999.5 && unit < 3; unit++ {
		v /= 1000
	}
	if unit == 0 || v >= 9.95 {
		return fmt.Sprintf("%.0f %s", v, []string{"B", "KB", "MB", "GB"}[unit])
	}
	return fmt.Sprintf("%.1f %s", v, []string{"B", "KB", "MB", "GB"}[unit])
}

// Age returns a time that has passed in the largest unit that says enough: "5m".
func Age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// Plural returns a number of things: "1 function", "2 functions".
func Plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

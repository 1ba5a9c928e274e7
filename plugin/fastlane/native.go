package fastlane

import (
	"math"

	dto "github.com/prometheus/client_model/go"
)

// Native histograms have buckets of exponential width (prometheus.io/docs/specs/native_histograms): with schema s, bucket k reaches
// from base^(k-1), exclusive, to base^k, inclusive, where base is 2^(2^-s). They are told as spans of adjacent buckets, and as
// differences of counts from one bucket to the next.

// maxGap is up to how many empty buckets a span bridges: told as zeroes they take less room than a new span.
const maxGap = 2

// nativeKey is the bucket of a value greater than 0.
func nativeKey(v float64, schema int32) int {
	key := int(math.Ceil(math.Log2(v) * math.Exp2(float64(schema))))
	// Logarithms are rounded: a value that is a bound itself belongs below it.
	bound := func(k int) float64 { return math.Exp2(float64(k) * math.Exp2(-float64(schema))) }
	for v > bound(key) {
		key++
	}
	for v <= bound(key-1) {
		key--
	}
	return key
}

// nativeBuckets are the counts of d's buckets by key.
func nativeBuckets(d *dto.Histogram) map[int]int64 {
	out := make(map[int]int64)
	key, count, at := 0, int64(0), 0
	for _, span := range d.PositiveSpan {
		key += int(span.GetOffset())
		for range span.GetLength() {
			count += d.PositiveDelta[at]
			out[key] = count
			at++
			key++
		}
	}
	return out
}

// setNativeBuckets makes buckets those of d.
func setNativeBuckets(d *dto.Histogram, buckets map[int]int64) {
	d.PositiveSpan, d.PositiveDelta = nil, nil
	var span *dto.BucketSpan
	next, last := 0, int64(0)
	put := func(count int64) {
		*span.Length++
		d.PositiveDelta = append(d.PositiveDelta, count-last)
		last = count
		next++
	}
	for _, key := range sortedKeys(buckets) {
		if gap := key - next; span == nil || gap > maxGap {
			offset, length := int32(gap), uint32(0)
			span = &dto.BucketSpan{Offset: &offset, Length: &length}
			d.PositiveSpan = append(d.PositiveSpan, span)
			next = key
		}
		for next < key {
			put(0)
		}
		put(buckets[key])
	}
}

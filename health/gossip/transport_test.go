package gossip

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
)

// seal encrypts as memberlist does, with any version.
func seal(version byte, plain, data []byte) []byte {
	block, _ := aes.NewCipher(testRing("one"))
	gcm, _ := cipher.NewGCM(block)
	nonce := make([]byte, 12)
	return append(append([]byte{version}, nonce...), gcm.Seal(nil, nonce, plain, data)...)
}

// TestKeyHolderCannotCrash sends what memberlist v0.7.0 panics with: without the meter, each of these ends the test binary.
func TestKeyHolderCannotCrash(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := gossiptest.New(31)
		c := newCluster(t, net, 2, nil)
		time.Sleep(5 * time.Second)
		evil := net.Transport(testAddress(9).String())
		label := append([]byte{labelType, 4}, "test"...)
		padding := []byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}
		_, err := evil.WriteTo(append(append([]byte(nil), label...), seal(0, padding, []byte("test"))...), testAddress(0).String())
		require.NoError(t, err)
		for _, stream := range []struct {
			version byte
			plain   []byte
		}{{0, padding}, {1, nil}} {
			sealed := func(data []byte) []byte { return seal(stream.version, stream.plain, data) }
			head := binary.BigEndian.AppendUint32([]byte{encryptType}, uint32(len(sealed(nil))))
			data := append(append([]byte(nil), head...), "test"...)
			conn, err := evil.DialTimeout(testAddress(0).String(), time.Second)
			require.NoError(t, err)
			_, err = conn.Write(append(append(append([]byte(nil), label...), head...), sealed(data)...))
			require.NoError(t, err)
			require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
			_, _ = io.ReadAll(conn)
			conn.Close()
		}
		time.Sleep(time.Second)
		require.GreaterOrEqual(t, value(t, c.nodes[0].metrics.refused[refusedOther]), 3.0)
		require.Less(t, c.nodes[1].age("n1"), 2*time.Second)
	})
}

// TestSoundHead reads heads one octet at a time.
func TestSoundHead(t *testing.T) {
	label := append([]byte{labelType, 4}, "test"...)
	for _, test := range []struct {
		name string
		b    []byte
		ok   bool
	}{
		{"good", append(append([]byte(nil), label...), encryptType, 0, 0, 0, 30, 1, 9, 9), true},
		{"version 0", append(append([]byte(nil), label...), encryptType, 0, 0, 0, 60, 0, 9), false},
		{"empty", append(append([]byte(nil), label...), encryptType, 0, 0, 0, 29, 1, 9), false},
		{"no label", []byte{encryptType, 0, 0, 0, 30, 1, 9}, true},
		{"no label, version 0", []byte{encryptType, 0, 0, 0, 60, 0, 9}, false},
		{"in clear", []byte{6, 1, 2, 3, 4, 5, 6, 7}, true},
		{"torn", label[:3], true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := meteredConn{head: []byte{}, labelled: true}
			ok := true
			r := iotest.OneByteReader(bytes.NewReader(test.b))
			for b := make([]byte, 1); ok; {
				if _, err := r.Read(b); err != nil {
					break
				}
				if c.head != nil {
					c.head = append(c.head, b[0])
					var done bool
					if ok, done = c.soundHead(); done {
						c.head = nil
					}
				}
			}
			require.Equal(t, test.ok, ok)
		})
	}
}

package answer

import (
	"encoding/binary"
	"net/netip"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// srvData is the RDATA of an SRV record (RFC 2782) for a member that has its weight out of sum: the target is the endpoint's
// own host name. Clients choose among records by the weight, which is never 0 here.
func srvData(z *config.Zone, srv *config.SRV, m steer.Member, sum uint64) []byte {
	const whole = 1<<16 - 1
	weight := max(1, uint16(float64(m.Weight)/float64(sum)*whole+0.5))
	data := binary.BigEndian.AppendUint16(nil, srv.Priority)
	data = binary.BigEndian.AppendUint16(data, weight)
	data = binary.BigEndian.AppendUint16(data, srv.Port)
	return append(data, mustPackName(z.HostName(int(m.Pool), int(m.Endpoint)))...)
}

// The parameters of HTTPS records (RFC 9460 section 14.3.2).
const (
	paramALPN     = 1
	paramPort     = 3
	paramIPv4Hint = 4
	paramIPv6Hint = 6
)

// httpsData is the RDATA of an HTTPS record (RFC 9460 section 2.2) whose target is the owner name and whose hints are the
// addresses of one endpoint, each the zero Addr where it has none to answer.
func httpsData(https *config.HTTPS, v4, v6 netip.Addr) []byte {
	data := append(binary.BigEndian.AppendUint16(nil, https.Priority), 0)
	if len(https.ALPN) > 0 {
		var list []byte
		for _, id := range https.ALPN {
			list = append(append(list, byte(len(id))), id...)
		}
		data = appendParam(data, paramALPN, list)
	}
	if https.Port > 0 {
		data = appendParam(data, paramPort, binary.BigEndian.AppendUint16(nil, https.Port))
	}
	if v4.IsValid() {
		data = appendParam(data, paramIPv4Hint, v4.AsSlice())
	}
	if v6.IsValid() {
		data = appendParam(data, paramIPv6Hint, v6.AsSlice())
	}
	return data
}

func appendParam(dst []byte, key uint16, value []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, key)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(value)))
	return append(dst, value...)
}

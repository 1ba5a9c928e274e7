// Package fastlane answers hot questions over UDP straight from the Snapshot, past CoreDNS's own path.
//
// A lane is a set of sockets of its own on an address that CoreDNS listens on too (SO_REUSEPORT). A classic BPF program, which
// needs no privilege, steers every datagram of the address to them. One worker owns each socket: it reads a batch (recvmmsg),
// answers what it can from wire bytes, writes the batch (sendmmsg), and then stamps the ledger and counts, each once a batch and
// without allocating. What is not a plain question goes, over a bounded queue, through a server of miekg/dns, which applies the
// rules that CoreDNS's own socket would have applied, to Server.ServeDNS. On both ways a question has the same answer, octet by
// octet.
//
// The sockets belong to the process. A reload swaps the Route, and nothing else; a lane that no instance wants any more steers
// the address back, answers what it still holds, and closes.
//
// # Memory
//
// What an answer needs lies in some ten places that each name has for itself. A batch finds the places of all its names first and touches
// them (answer.Warm), so that a processor fetches them at the same time: 20 % of the user time of an answer, where 1,000 names are
// asked in turn. Between two measured runs of `make bench-peers` with and without it lay 7 to 10 points of the echo server's rate.
//
// # Waiting
//
// A worker waits in Go's network poller, and not in a blocking recvmmsg: that gives up the P, and takes it back, for every
// datagram at low rates. After a batch that was not full it does not ask the socket again whether there is more: the poller is
// edge-triggered, and what came since is an edge of its own. So a question that comes alone costs one recvmmsg and one sendmmsg.
//
// Measured, in the order of the choice: a blocking recvmmsg costs 33.5 us of CPU per question at 10,000 a second, and the poller 22.4 (a
// trial on an idle machine, where gdnsd takes 17.4). Asking the socket again after each batch of four or more, in the hope of saving
// the wait, was no better at 10,000 and 50,000 questions a second and worse at saturation: 0.78 and 0.79 of the echo server's rate, and 0.83
// and 0.82 in the runs between those.
//
// # What it refuses to do
//
// The package decides nothing: which names are answered and how is answer.Snapshot's business, and which addresses have a lane,
// and why not, is that of the plugin. It never queues without a bound: what does not fit is dropped and counted.
package fastlane

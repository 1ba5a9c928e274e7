package config

// A TransferView is what a zone has for those who transfer it.
type TransferView uint8

// The views. Without one a zone is not transferred.
const (
	NoTransfer TransferView = iota
	// TransferStatic has the fixed addresses of services.
	TransferStatic
	// TransferLast has what services answer now.
	TransferLast
)

// String is the word in the file.
func (v TransferView) String() string {
	return [...]string{"none", "static", "last"}[min(v, TransferLast)]
}

func transferShape() *shape {
	return object(
		required("view", enum("static", "last")).says(
			"What services are for secondaries: the addresses of `on_all_down`, or what they answer now, which secondaries keep however old it gets."),
	)
}

// buildTransfer reads the key transfer. Services are built.
func (b *builder) buildTransfer() {
	n := field(field(b.root, "transfer"), "view")
	at := (*yamlPath)(nil).at("transfer", "view")
	switch stringOf(n) {
	case "static":
		b.zone.Transfer = TransferStatic
	case "last":
		b.zone.Transfer = TransferLast
	default:
		return
	}
	for _, svc := range b.zone.Services {
		switch {
		case svc.Cells != nil:
			b.errorf(n, at, "", "the cells of %s cannot be transferred: a secondary does not know which pool is home to a shard", svc.Name)
		case b.zone.Transfer == TransferStatic && len(svc.OnAllDown.Fixed) == 0:
			b.errorf(n, at, "give it `on_all_down` with addresses, or use the view last", "the service %s has no fixed answer", svc.Name)
		}
	}
}

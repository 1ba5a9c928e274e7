package order

import (
	"testing"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

func TestMain(m *testing.M) { suite.Main(m) }

package apiserver

import (
	"reflect"
	"testing"

	"github.com/akscert/akscert/internal/collect"
	"github.com/akscert/akscert/internal/target"
)

// A stopped cluster is a gap of this source's own: with the others left out there
// must not be silence.
func TestStoppedCluster(t *testing.T) {
	arm := target.ARM{Name: "c", ResourceGroup: "rg", PowerState: "Stopped"}
	seen := Collector{}.Collect(t.Context(), target.Target{Cluster: &target.Cluster{Server: "https://192.0.2.1"}, ARM: &arm})
	if len(seen) != 1 || seen[0].Gap == nil || !reflect.DeepEqual(seen, collect.NotRunning(arm)) {
		t.Errorf("got %+v", seen)
	}
}

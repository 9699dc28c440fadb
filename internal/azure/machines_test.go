package azure

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/akscert/akscert/internal/target"
	"github.com/akscert/akscert/pkg/report"
)

func cluster(pools ...target.Pool) target.ARM {
	return target.ARM{ID: group, SubscriptionID: sub, ResourceGroup: "rg", Name: "web", NodeResourceGroup: "mc_rg_web", PowerState: "Running", Pools: pools}
}

func pool(name, kind string) target.Pool {
	return target.Pool{Name: name, Type: kind, OS: "Linux", PowerState: "Running", Count: 1}
}

const machinesOf = "GET " + group + "/agentPools/"

func machine(name, id string) string {
	return `{"name":"` + name + `","properties":{"resourceId":"` + nodes + "/" + id + `"}}`
}

func vm(name, rest string) string {
	return `{"id":"` + nodes + "/virtualMachines/" + name + `","name":"` + name + `"` + rest + `}`
}

// The machines as AKS was recorded to list them.
func TestMachinesRecorded(t *testing.T) {
	var flow struct{ Exchanges []struct{ Body string } }
	recording(t, "azpwsh-aks-machines-2025.json", &flow)
	a := serve(t)
	a.on(machinesOf+"default/machines", ok(flow.Exchanges[0].Body))
	a.on("GET "+nodes+"/virtualMachines", ok(`{"value":[]}`))
	c, _ := client(t, a, newClock(), Config{})
	got, problems := c.Machines(t.Context(), cluster(pool("default", "VirtualMachineScaleSets")))
	if len(problems) != 0 || len(got) != 1 || got[0].Node != "aks-default-12988240-vmss000000" || !strings.HasSuffix(got[0].ResourceID, "/virtualMachineScaleSets/aks-default-12988240-vmss/virtualMachines/0") {
		t.Errorf("got %v, problems %v", got, problems)
	}
}

// Every kind of pool at once, each found in its own way, and each list read once.
func TestMachines(t *testing.T) {
	a := serve(t)
	unknown := reply{status: 400, body: `{"error":{"code":"BadRequest","message":"not for this pool"}}`}
	a.on(machinesOf+"np/machines", ok(`{"value":[`+machine("AKS-np-1-vmss000001", "virtualMachineScaleSets/aks-np-1-vmss/virtualMachines/1")+`],"nextLink":"HOST`+group+`/agentPools/np/machines?page=2"}`))
	a.on(machinesOf+"np/machines?page=2", ok(`{"value":[`+machine("aks-np-1-vmss000000", "virtualMachineScaleSets/aks-np-1-vmss/virtualMachines/0")+`]}`))
	a.on(machinesOf+"vms/machines", ok(`{"value":[`+machine("aks-vms-1-vms0", "virtualMachines/aks-vms-1-vms0")+`]}`))
	a.on(machinesOf+"avset/machines", unknown)
	a.on(machinesOf+"old/machines", unknown)
	a.on(machinesOf+"win/machines", ok(`{"value":[]}`))
	a.on(machinesOf+"empty/machines", ok(`{"value":[]}`))
	a.on("GET "+nodes+"/virtualMachines",
		ok(`{"value":[`+vm("aks-vms-1-vms0", "")+`,`+vm("aks-avset-7-0", `,"tags":{"poolName":"avset"},"properties":{"osProfile":{"computerName":"aks-avset-7-0"},"storageProfile":{"osDisk":{"osType":"Linux"}}}`)+`],"nextLink":"HOST`+nodes+`/virtualMachines?page=2"}`))
	a.on("GET "+nodes+"/virtualMachines?page=2",
		ok(`{"value":[`+vm("aks-default-x7k2p", `,"tags":{"karpenter.sh_nodepool":"default"}`)+`,`+vm("aks-off-7-0", `,"tags":{"aks-managed-poolName":"off"}`)+`,`+vm("jumpbox", "")+`]}`))
	a.on("GET "+nodes+"/virtualMachineScaleSets", ok(`{"value":[{"name":"aks-old-3-vmss","properties":{"virtualMachineProfile":{"osProfile":{"computerNamePrefix":"aks-old-3-vmss"}}}},
		{"name":"akswin"},{"name":"aks-off-3-vmss","tags":{"aks-managed-poolName":"off"}}]}`))
	a.on("GET "+nodes+"/virtualMachineScaleSets/aks-old-3-vmss/virtualMachines", ok(`{"value":[{"id":"`+nodes+`/virtualMachineScaleSets/aks-old-3-vmss/virtualMachines/46","instanceId":"46"},
		{"id":"`+nodes+`/virtualMachineScaleSets/aks-old-3-vmss/virtualMachines/2","instanceId":"2","properties":{"osProfile":{"computerName":"aks-old-3-vmss00000Z"}}}]}`))
	a.on("GET "+nodes+"/virtualMachineScaleSets/akswin/virtualMachines", ok(`{"value":[{"id":"`+nodes+`/virtualMachineScaleSets/akswin/virtualMachines/0","instanceId":"0"}]}`))
	off, win, empty := pool("off", "VirtualMachineScaleSets"), pool("win", "VirtualMachineScaleSets"), pool("empty", "VirtualMachineScaleSets")
	off.PowerState, win.OS, empty.Count = "Stopped", "Windows", 0
	c, log := client(t, a, newClock(), Config{})
	got, problems := c.Machines(t.Context(), cluster(pool("np", "VirtualMachineScaleSets"), pool("vms", "VirtualMachines"), pool("avset", "AvailabilitySet"), off, pool("old", "VirtualMachineScaleSets"), win, empty))
	if len(problems) != 0 {
		t.Errorf("problems %v", problems)
	}
	same(t, "machines", names(got), []string{
		"np/aks-np-1-vmss000000/Linux/s/0", "np/aks-np-1-vmss000001/Linux/s/1",
		"vms/aks-vms-1-vms0/Linux/s/aks-vms-1-vms0",
		"avset/aks-avset-7-0/Linux/s/aks-avset-7-0",
		"old/aks-old-3-vmss00000z/Linux/s/2", "old/aks-old-3-vmss00001a/Linux/s/46",
		"win/akswin000000/Windows/s/0",
		"default/aks-default-x7k2p/Linux/s/aks-default-x7k2p",
	})
	if !strings.Contains(log.String(), "jumpbox") {
		t.Errorf("log %q", log)
	}
	seen := map[string]bool{}
	for _, asked := range a.asked {
		if seen[asked] || strings.Contains(asked, "/off/") || strings.Contains(asked, "aks-off") {
			t.Errorf("asked for %s", asked)
		}
		seen[asked] = true
	}
}

// One pool's failure is a problem of its own and hides no other's machines.
func TestMachinesProblems(t *testing.T) {
	forbidden := reply{status: 403, body: `{"error":{"code":"AuthorizationFailed","message":"no"}}`}
	a := serve(t)
	a.on(machinesOf+"one/machines", forbidden)
	a.on(machinesOf+"two/machines", ok(`{"value":[`+machine("aks-two-1-vmss000000", "virtualMachineScaleSets/aks-two-1-vmss/virtualMachines/0")+`,{"name":"aks-two-1-vmss000001","properties":{}}]}`))
	a.on(machinesOf+"three/machines", ok(`{"value":[]}`))
	a.on(machinesOf+"four/machines", reply{status: 400, body: `{"error":{"code":"BadRequest","message":"not for this pool"}}`}) // and it has no nodes
	a.on("GET "+nodes+"/virtualMachines", forbidden)
	a.on("GET "+nodes+"/virtualMachineScaleSets", ok(`{"value":[]}`))
	c, _ := client(t, a, newClock(), Config{})
	got, problems := c.Machines(t.Context(), cluster(pool("one", "VirtualMachineScaleSets"), pool("two", "VirtualMachineScaleSets"), pool("three", "VirtualMachineScaleSets"), target.Pool{Name: "four", Type: "VirtualMachineScaleSets", PowerState: "Running"}))
	same(t, "machines", names(got), []string{"two/aks-two-1-vmss000000/Linux/s/0"})
	if len(problems) != 4 {
		t.Fatalf("problems %v", problems)
	}
	if e := failed(t, problems[0], report.ReasonForbidden); !strings.Contains(e.Hint, "agentPools/machines/read") {
		t.Errorf("hint %q", e.Hint)
	}
	failed(t, problems[1], report.ReasonMalformed)
	failed(t, problems[2], report.ReasonNotFound)
	if e := failed(t, problems[3], report.ReasonForbidden); !strings.Contains(e.Hint, "Microsoft.Compute/virtualMachines/read") {
		t.Errorf("hint %q", e.Hint)
	}
}

func TestMachinesOfStopped(t *testing.T) {
	a := serve(t)
	c, _ := client(t, a, newClock(), Config{})
	stopped := cluster(pool("np", ""))
	stopped.PowerState = "Stopped"
	if got, problems := c.Machines(t.Context(), stopped); got != nil || problems != nil || len(a.asked) != 0 {
		t.Errorf("got %v, problems %v, asked %v", got, problems, a.asked)
	}
}

func TestMachinesInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c, _ := client(t, serve(t), newClock(), Config{})
	got, problems := c.Machines(ctx, cluster(pool("np", "VirtualMachineScaleSets")))
	if len(got) != 0 || len(problems) != 2 {
		t.Fatalf("got %v, problems %v", got, problems)
	}
	for _, p := range problems {
		failed(t, p, report.ReasonInterrupted)
	}
}

// An error body comes from outside: what it holds must not move the cursor.
func FuzzFailure(f *testing.F) {
	f.Add([]byte(`{"error":{"code":"a","message":"b","details":[{"code":"c"}]}}`))
	f.Add([]byte(`{"code":7,"details":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		codes, message := failure(body)
		for _, text := range append(codes, message) {
			if strings.ContainsAny(text, "\n\r\x1b\x00\u202e") || len([]rune(text)) > 401 {
				t.Errorf("not fit to be shown: %q", text)
			}
		}
		if len(codes) > 0 && !json.Valid(body) {
			t.Errorf("codes %v of what is no JSON", codes)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{"": 0, "61": 61 * time.Second, "-1": 0, "x": 0, "99999999999": 24 * time.Hour,
		"Thu, 01 Jan 2026 00:02:00 GMT": 2 * time.Minute, "Wed, 31 Dec 2025 00:00:00 GMT": 0} {
		if got := retryAfter(&http.Response{Header: http.Header{"Retry-After": {value}}}, now); got != want {
			t.Errorf("Retry-After %q: %s, want %s", value, got, want)
		}
	}
}

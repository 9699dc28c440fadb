package demo

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Nothing in the estate changes while it runs.
const resourceVersion = "1048576"

// listed says whether Kubernetes has a node for the machine. AKS removes those
// of a stopped pool, and the cloud's controller those of deleted machines; one
// that is merely off stays, and is not ready.
func (m *machine) listed() bool { return !m.off() && !m.fault.gone }

// nodes are the cluster's nodes in Kubernetes' order, by name.
func (c *cluster) nodes() []*machine {
	var nodes []*machine
	for _, m := range c.machines {
		if m.listed() {
			nodes = append(nodes, m)
		}
	}
	slices.SortFunc(nodes, func(a, b *machine) int { return strings.Compare(a.name, b.name) })
	return nodes
}

// from is where the next page of a list begins.
type from struct {
	Version         string `json:"v"`
	ResourceVersion int    `json:"rv"`
	Start           string `json:"start"`
}

// listNodes answers with a page of the nodes, whole or with their metadata alone.
func (e *Estate) listNodes(w http.ResponseWriter, r *http.Request, c *cluster) {
	query := r.URL.Query()
	for _, unknown := range []string{"labelSelector", "fieldSelector", "watch"} {
		if query.Get(unknown) != "" {
			status(w, http.StatusBadRequest, "BadRequest", "the sample estate does not know "+unknown, nil)
			return
		}
	}
	partial, ok := accepts(r, "PartialObjectMetadataList")
	if !ok {
		notAcceptable(w)
		return
	}
	nodes := c.sorted
	start, err := begin(query.Get("continue"), nodes)
	if err != nil {
		status(w, http.StatusBadRequest, "BadRequest", "continue key is not valid: "+err.Error(), nil)
		return
	}
	end := len(nodes)
	if text := query.Get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 0 {
			status(w, http.StatusBadRequest, "BadRequest", fmt.Sprintf("unable to decode %q as a limit", text), nil)
			return
		}
		if limit > 0 {
			end = min(end, start+limit)
		}
	}
	metadata := object{"resourceVersion": resourceVersion}
	if end < len(nodes) {
		token, _ := json.Marshal(from{"meta.k8s.io/v1", 1048576, nodes[end-1].name + "\x00"})
		metadata["continue"] = base64.RawURLEncoding.EncodeToString(token)
		metadata["remainingItemCount"] = len(nodes) - end
	}
	list := object{"kind": "NodeList", "apiVersion": "v1", "metadata": metadata}
	if partial {
		list["kind"], list["apiVersion"] = "PartialObjectMetadataList", "meta.k8s.io/v1"
	}
	items := make([]object, 0, end-start)
	for _, m := range nodes[start:end] {
		item := e.describeNode(m)
		if partial {
			item = e.partialNode(m)
		}
		items = append(items, item)
	}
	list["items"] = items
	e.answer(w, r, list)
}

func begin(token string, nodes []*machine) (int, error) {
	if token == "" {
		return 0, nil
	}
	decoded, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, err
	}
	var at from
	if err := json.Unmarshal(decoded, &at); err != nil {
		return 0, err
	}
	if at.Version != "meta.k8s.io/v1" || at.Start == "" {
		return 0, fmt.Errorf("server does not recognize this encoded version %q", at.Version)
	}
	start, _ := slices.BinarySearchFunc(nodes, at.Start, func(m *machine, name string) int { return strings.Compare(m.name, name) })
	return start, nil
}

// accepts says whether the answer is to be metadata alone, under the name that
// this has, and whether there is any answer that the caller accepts.
func accepts(r *http.Request, kind string) (partial, ok bool) {
	accept := r.Header.Get("Accept")
	if accept == "" {
		return false, true
	}
	for each := range strings.SplitSeq(accept, ",") {
		name, with, err := mime.ParseMediaType(each)
		if err != nil || name != "application/json" && name != "application/*" && name != "*/*" {
			continue
		}
		switch {
		case with["as"] == "":
			return false, true
		case with["as"] == kind && with["g"] == "meta.k8s.io" && with["v"] == "v1":
			return true, true
		}
	}
	return false, false
}

func notAcceptable(w http.ResponseWriter) {
	status(w, http.StatusNotAcceptable, "NotAcceptable", "only the following media types are accepted: application/json, "+
		"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", object{})
}

// node answers for what is below a node's path: itself, or its kubelet.
func (e *Estate) node(w http.ResponseWriter, r *http.Request, c *cluster, user, path string) {
	name, below, _ := strings.Cut(path, "/")
	nodes := c.sorted
	at, found := slices.BinarySearchFunc(nodes, name, func(m *machine, name string) int { return strings.Compare(m.name, name) })
	if !found {
		status(w, http.StatusNotFound, "NotFound", fmt.Sprintf("nodes %q not found", name), object{"name": name, "kind": "nodes"})
		return
	}
	m := nodes[at]
	proxied, isProxy := strings.CutPrefix(below, "proxy/")
	partial, ok := accepts(r, "PartialObjectMetadata")
	switch {
	case isProxy:
		e.kubelet(w, r, m, user, proxied)
	case below != "":
		notThere(w)
	case !ok:
		notAcceptable(w)
	case partial:
		e.answer(w, r, e.partialNode(m))
	default:
		whole := e.describeNode(m)
		whole["kind"], whole["apiVersion"] = "Node", "v1"
		e.answer(w, r, whole)
	}
}

func (e *Estate) partialNode(m *machine) object {
	return object{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": e.nodeMetadata(m)}
}

func (e *Estate) nodeMetadata(m *machine) object {
	return object{
		"name": m.name, "uid": m.vmID(), "resourceVersion": resourceVersion, "labels": m.labels(),
		"creationTimestamp": e.options.Now.Add(-m.age()).UTC().Format(time.RFC3339),
		"annotations":       object{"node.alpha.kubernetes.io/ttl": "0", "volumes.kubernetes.io/controller-managed-attach-detach": "true"},
	}
}

// age is how long ago the node joined. Its copy of the API server's certificate
// was made then, and its first client certificate.
func (m *machine) age() time.Duration { return max(m.client.age, m.copy.age) }

func (m *machine) labels() object {
	system := strings.ToLower(m.pool.osType())
	labels := object{
		"beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": system, "kubernetes.io/hostname": m.name,
		"kubernetes.azure.com/cluster": m.cluster.nodeGroup(), "kubernetes.io/role": "agent",
	}
	if m.pool.kind == standalone {
		labels["karpenter.sh/nodepool"] = m.pool.name
	} else {
		labels["agentpool"] = m.pool.name
	}
	if m.boot == staticClient {
		return labels // a node of 2019: the others came later
	}
	if m.pool.kind != standalone {
		labels["kubernetes.azure.com/agentpool"] = m.pool.name
	}
	labels["kubernetes.io/os"], labels["kubernetes.io/arch"] = system, "amd64"
	labels["kubernetes.azure.com/node-image-version"] = m.pool.image
	labels["topology.kubernetes.io/region"] = m.cluster.location
	labels["node.kubernetes.io/instance-type"] = "Standard_D4s_v5"
	if m.server != (span{}) {
		labels["kubernetes.azure.com/kubelet-serving-ca"] = "cluster"
	}
	return labels
}

// address is the node's in its virtual network.
func (m *machine) address() string {
	pool := 0
	for i := range m.cluster.pools {
		if m.pool == &m.cluster.pools[i] {
			pool = i
		}
	}
	return fmt.Sprintf("10.%d.%d.%d", 224+pool, m.number/250, 4+m.number%250)
}

func (e *Estate) describeNode(m *machine) object {
	ready, reason, message := "True", "KubeletReady", "kubelet is posting ready status"
	spec := object{"providerID": "azure://" + m.id()}
	if m.fault.off {
		ready, reason, message = "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."
		spec["taints"] = []object{{"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"}, {"key": "node.cloudprovider.kubernetes.io/shutdown", "effect": "NoSchedule"}}
	}
	room := object{"cpu": "4", "memory": "16373872Ki", "pods": "110"}
	return object{"metadata": e.nodeMetadata(m), "spec": spec, "status": object{
		"addresses":       []object{{"type": "InternalIP", "address": m.address()}, {"type": "Hostname", "address": m.name}},
		"capacity":        room,
		"allocatable":     room,
		"conditions":      []object{{"type": "Ready", "status": ready, "reason": reason, "message": message}},
		"daemonEndpoints": object{"kubeletEndpoint": object{"Port": 10250}},
		"nodeInfo": object{"kubeletVersion": "v" + m.cluster.kubernetes, "operatingSystem": strings.ToLower(m.pool.osType()),
			"architecture": "amd64", "osImage": m.pool.image},
	}}
}

package kubelet

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func read(s string) (page, error) {
	p := pageAt(noon)
	err := p.read(strings.NewReader(s))
	return p, err
}

func TestPage(t *testing.T) {
	nan := math.NaN()
	const other = "kubelet_running_pods 3\n"
	long := strings.Repeat("x", 2*maxLine)
	for name, test := range map[string]struct {
		text  string
		want  map[string]float64
		whole bool
		err   error
	}{
		"real":           {realistic(3, all("100", "200")), map[string]float64{clientErrors: 0, clientTTL: 100, servingTTL: 200, servingErrors: 0}, false, nil},
		"no rotation":    {realistic(3, nil), map[string]float64{}, true, nil},
		"client alone":   {realistic(3, map[string]string{clientErrors: "1", clientTTL: "7"}), map[string]float64{clientErrors: 1, clientTTL: 7}, false, nil},
		"exponent":       {clientTTL + " 1.5e+07\n", map[string]float64{clientTTL: 1.5e7}, true, nil},
		"negative":       {clientTTL + " -3e1\n", map[string]float64{clientTTL: -30}, true, nil},
		"infinite":       {clientTTL + " +Inf\n", map[string]float64{clientTTL: math.Inf(1)}, true, nil},
		"NaN":            {clientTTL + " NaN\n", map[string]float64{clientTTL: nan}, true, nil},
		"no number":      {clientTTL + " soon\n", map[string]float64{clientTTL: nan}, true, nil},
		"no value":       {clientTTL + " \n" + other, map[string]float64{clientTTL: nan}, true, nil},
		"labels":         {clientTTL + `{a="}\" 9",b="\\"} 5` + "\n", map[string]float64{clientTTL: 5}, true, nil},
		"labels, spaces": {clientTTL + ` { a="b" }	5 ` + "\r\n", map[string]float64{clientTTL: 5}, true, nil},
		"open labels":    {clientTTL + `{a="b 5` + "\n", map[string]float64{clientTTL: nan}, true, nil},
		"a time":         {clientTTL + " 5 1700000000000\n", map[string]float64{clientTTL: 5}, true, nil},
		"too much":       {clientTTL + " 5 6 7\n", map[string]float64{clientTTL: nan}, true, nil},
		"no time":        {clientTTL + " 5 x\n", map[string]float64{clientTTL: nan}, true, nil},
		"comment":        {"# HELP " + clientTTL + " 5\n#" + clientTTL + " 5\n" + other, map[string]float64{}, true, nil},
		"longer name":    {clientTTL + "_total 5\n" + other, map[string]float64{}, true, nil},
		"twice":          {clientTTL + " 5\n" + clientTTL + " 6\n", map[string]float64{clientTTL: 5}, true, nil},
		// Passed the last name, without the client's: it is read on.
		"unsorted":        {"zz 1\n" + other + servingTTL + " 5\n" + clientTTL + " 6\n", map[string]float64{clientTTL: 6, servingTTL: 5}, true, nil},
		"long line":       {other + `kubelet_x{a="` + long + "\"} 1\n" + clientTTL + " 6\n", map[string]float64{clientTTL: 6}, true, nil},
		"our long line":   {other + clientTTL + `{a="` + long + "\"} 1\n", map[string]float64{}, false, nil},
		"long at the end": {other + long, map[string]float64{}, false, io.ErrUnexpectedEOF},
		"cut":             {other + clientTTL + " 12", map[string]float64{}, false, io.ErrUnexpectedEOF},
		"not a kubelet's": {"go_goroutines 5\n", map[string]float64{}, false, errors.New("not a kubelet's metrics")},
		"nothing":         {"", map[string]float64{}, false, errors.New("not a kubelet's metrics")},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := read(test.text)
			got := map[string]float64{}
			for name, s := range p.samples {
				got[name] = s.value
				if s.at != noon {
					t.Errorf("%s came %s", name, s.at)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) || p.whole != test.whole || fmt.Sprint(err) != fmt.Sprint(test.err) {
				t.Errorf("got %v, whole %v, %v", got, p.whole, err)
			}
		})
	}
}

// Once everything was seen the rest is not waited for.
func TestPageStops(t *testing.T) {
	text := realistic(50, all("100", "200"))
	end := strings.Index(text, "kubelet_volume_")
	failed := errors.New("read on")
	p := pageAt(noon)
	if err := p.read(io.MultiReader(strings.NewReader(text[:end]), iotest.ErrReader(failed))); err != nil || len(p.samples) != 4 {
		t.Errorf("got %v, %v", p.samples, err)
	}
	// Without the serving one, the names say that no more comes.
	text = realistic(50, map[string]string{clientTTL: "5"})
	end = strings.Index(text, "rest_client")
	q := pageAt(noon)
	if err := q.read(io.MultiReader(strings.NewReader(text[:end]), iotest.ErrReader(failed))); err != nil || len(q.samples) != 1 {
		t.Errorf("got %v, %v", q.samples, err)
	}
	// Without the client's, it may be a page in another order.
	r := pageAt(noon)
	if err := r.read(io.MultiReader(strings.NewReader(realistic(5, nil)), iotest.ErrReader(failed))); !errors.Is(err, failed) || r.whole {
		t.Errorf("got %v", err)
	}
}

func pageAt(at time.Time) page { return page{now: func() time.Time { return at }} }

func FuzzPage(f *testing.F) {
	f.Add([]byte(realistic(1, all("100", "200"))))
	f.Add([]byte(clientTTL + `{a="}\" 9"} -5e3 12` + "\n"))
	f.Add([]byte(servingTTL + "{\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := read(string(data))
		if err != nil && p.whole {
			t.Error("whole, and an error")
		}
		if !p.isKubelets && (p.whole || len(p.samples) > 0) {
			t.Error("not a kubelet's, and whole")
		}
		if p.at.IsZero() {
			return
		}
		for name, s := range p.samples {
			if !strings.Contains(string(data), name) || s.at != noon {
				t.Errorf("%s out of nowhere", name)
			}
		}
	})
}

// A node of some 30 pods, and one of 250.
func BenchmarkPage(b *testing.B) {
	for _, pods := range []int{40, 150} {
		for _, rotates := range []bool{true, false} {
			values := all("100", "200")
			if !rotates {
				values = nil
			}
			text := realistic(pods, values)
			b.Run(fmt.Sprintf("%d KiB, rotates %v", len(text)>>10, rotates), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := read(text); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

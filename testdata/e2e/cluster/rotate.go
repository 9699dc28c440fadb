package cluster

import (
	"errors"
	"time"
)

// RotateCA replaces the CA, the administrator's certificate and the key that
// service account tokens are signed with, as az aks rotate-certs does. API
// servers started from now on know nothing of the old ones.
func (c *Cluster) RotateCA(now time.Time) error {
	from := now.Add(-time.Hour)
	ca, err := NewCA("ca", from, from.Add(30*365*Day))
	if err != nil {
		return err
	}
	admin, err := ca.Issue(Spec{CommonName: "masterclient", Organization: "system:masters", NotBefore: from, NotAfter: from.Add(2 * 365 * Day)})
	if err != nil {
		return err
	}
	serviceAccounts, err := NewCA("service-accounts", from, from.Add(30*365*Day))
	if err != nil {
		return err
	}
	c.CA, c.Admin = ca, admin
	var errs [2]error
	c.files.ca, c.files.caKey, errs[0] = ca.write(c.Dir, "ca-rotated")
	_, c.files.serviceAccountKey, errs[1] = serviceAccounts.write(c.Dir, "service-accounts-rotated")
	return errors.Join(errs[:]...)
}

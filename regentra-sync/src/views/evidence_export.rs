use std::collections::BTreeMap;

use regentra_evidence::{
    Anchor, ChainHead, EvidenceExport, HeadTree, PublicKey, SignalKind, SignedLink,
    anchor::{AnchorFault, EXPORT_VERSION, ExportedChain, HeadProof},
};

use super::Views;
use crate::{
    error::Result,
    model::{
        AuditDetails, ComplianceOrgId, EvidenceHead, EvidenceRow, MappingId, MspOrgId,
        chain_subject,
    },
    store::{AuditPage, ROWS_PER_READ},
};

type Chain = (MappingId, SignalKind);

impl Views {
    /// Compares an MSP's heads with anchors from outside. The root of each anchor must be the root of the heads that the store has under
    /// it. This reveals heads that were changed or removed, of any customer. Anchors of other MSPs are ignored.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn verify_anchors(
        &self,
        msp: MspOrgId,
        anchors: &[Anchor],
    ) -> Result<Vec<AnchorFault>> {
        let (name, mut faults) = (msp.to_string(), Vec::new());
        for anchor in anchors.iter().filter(|anchor| anchor.msp == name) {
            let heads = self.store.heads_of_root(msp, anchor.number).await?;
            let heads = heads.iter().map(EvidenceHead::head);
            faults.extend(anchor.covers(heads).err());
        }
        Ok(faults)
    }

    /// A customer's evidence, for an auditor and for [`verify_export`](regentra_evidence::verify_export). It contains everything that is
    /// needed to verify it, except what must come from outside. `keys` are the host's public keys. The chains are those that the customer's
    /// audit trail names, those of unexpired signals, and those of `mappings`. A chain without a record is left out.
    ///
    /// The parts are read one after the other, so a sweep that commits meanwhile can make an intact chain look broken. Read again before
    /// you report a broken chain.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn evidence_export(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
        mappings: &[MappingId],
        keys: Vec<PublicKey>,
    ) -> Result<EvidenceExport> {
        let store = &self.store;
        let mut chains = self.audit_heads(customer).await?;
        let current = store.current_signals(customer, self.now()).await?;
        let of_signals = current.iter().map(|stored| stored.mapping);
        for mapping in mappings.iter().copied().chain(of_signals) {
            for signal in SignalKind::ALL {
                chains.entry((mapping, signal)).or_default();
            }
        }
        let mut proofs = self.head_proofs(msp, customer).await?;
        let mut exported = Vec::with_capacity(chains.len());
        for ((mapping, signal), audit_heads) in chains {
            let links = self.links(customer, mapping, signal).await?;
            if links.is_empty() && audit_heads.is_empty() {
                continue;
            }
            exported.push(ExportedChain {
                subject: chain_subject(customer, mapping),
                signal,
                links,
                audit_heads,
                proofs: proofs.remove(&(mapping, signal)).unwrap_or_default(),
            });
        }
        Ok(EvidenceExport {
            export_version: EXPORT_VERSION,
            msp: msp.to_string(),
            keys,
            chains: exported,
        })
    }

    /// The heads in a customer's audit trail, the longest first.
    async fn audit_heads(
        &self,
        customer: ComplianceOrgId,
    ) -> Result<BTreeMap<Chain, Vec<ChainHead>>> {
        let mut heads: BTreeMap<Chain, Vec<ChainHead>> = BTreeMap::new();
        let mut page = AuditPage::newest(ROWS_PER_READ);
        loop {
            let rows = self.store.customer_audit(customer, page).await?;
            for row in &rows {
                if let AuditDetails::Swept {
                    mapping, signals, ..
                } = &row.details
                {
                    for (signal, swept) in signals {
                        let of_chain = heads.entry((*mapping, *signal)).or_default();
                        of_chain.push(swept.chain_head);
                    }
                }
            }
            match rows.last() {
                Some(last) if rows.len() as u64 == u64::from(ROWS_PER_READ) => {
                    page = page.next(last);
                }
                _ => break,
            }
        }
        for of_chain in heads.values_mut() {
            of_chain.sort_by_key(|head| std::cmp::Reverse(head.length));
        }
        Ok(heads)
    }

    async fn links(
        &self,
        customer: ComplianceOrgId,
        mapping: MappingId,
        signal: SignalKind,
    ) -> Result<Vec<SignedLink>> {
        let mut links: Vec<SignedLink> = Vec::new();
        loop {
            let after = links.last().map_or(0, |signed| signed.link.sequence);
            let page = self
                .store
                .evidence_chain(customer, mapping, signal, after, ROWS_PER_READ)
                .await?;
            let is_last = (page.len() as u64) < u64::from(ROWS_PER_READ);
            links.extend(page.into_iter().map(EvidenceRow::into_signed_link));
            if is_last {
                return Ok(links);
            }
        }
    }

    /// Proofs that a customer's heads are under the MSP's roots, without the heads of other customers.
    async fn head_proofs(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
    ) -> Result<BTreeMap<Chain, Vec<HeadProof>>> {
        let store = &self.store;
        let mut of_root: BTreeMap<u64, Vec<EvidenceHead>> = BTreeMap::new();
        for head in store.heads_of_customer(msp, customer).await? {
            if let Some(number) = head.root {
                of_root.entry(number).or_default().push(head);
            }
        }
        let mut proofs: BTreeMap<Chain, Vec<HeadProof>> = BTreeMap::new();
        for (number, theirs) in of_root {
            let all = store.heads_of_root(msp, number).await?;
            let tree = HeadTree::new(all.iter().map(EvidenceHead::head));
            for head in theirs {
                if let Some(proof) = tree.proof(head.head()) {
                    let chain = proofs.entry((head.mapping, head.signal)).or_default();
                    chain.push(HeadProof {
                        number,
                        head: head.head(),
                        proof,
                    });
                }
            }
        }
        Ok(proofs)
    }
}

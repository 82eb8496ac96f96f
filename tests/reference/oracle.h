// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "compiler/options.h"
#include "model/store.h"
#include "tests/reference/cluster_view.h"
#include "tests/support/packet.h"

namespace felix::reference {

struct Judgement {
  testing::Verdict verdict = testing::Verdict::kNotOurs;
  std::string reason;  // "end of tier default", "gnp/x": for failure texts only
};

// The policy oracle: what the host named by `options.hostname` is to do with a packet, said
// straight from the meaning of the resources. It knows no chains, marks or sets, keeps no state and
// makes no effort to be fast: every question walks the whole store. It shares no code with the
// compiler, so that a mistake would have to be made twice to stay unseen.
[[nodiscard]] Judgement Explain(const model::Store& store, const compiler::Options& options,
                                const testing::Packet& packet);
// The same for many packets: the view is what takes long to make.
[[nodiscard]] Judgement Explain(const ClusterView& cluster, const compiler::Options& options,
                                const testing::Packet& packet);
[[nodiscard]] testing::Verdict Judge(const model::Store& store, const compiler::Options& options,
                                     const testing::Packet& packet);

}  // namespace felix::reference

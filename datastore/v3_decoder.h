// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "datastore/resource_document.h"
#include "datastore/source.h"
#include "datastore/v3_policy.h"
#include "model/update.h"

namespace felix::datastore {

// What became of one object of Calico's v3 API. Every object ends in one of these ways:
// - key and value: it is in force;
// - key, no value, no refusal: a staged policy, which has no effect on traffic;
// - key, refusal, no value: it is absent. Of a policy, `policy` says what it covered as far as this
//   version is legible; of a valid one too, for the day when it is not;
// - key, value and refusal: it is in force, with a remark;
// - refusal alone: not even its identity can be read;
// - ignored_kind: a kind of Calico's that has no part in policy.
struct Decoded {
  Position position;
  std::string object;  // "NetworkPolicy prod/db"; empty if not even that can be read
  std::optional<model::Key> key;
  std::optional<model::Resource> value;  // never a BrokenPolicy
  std::optional<PolicyParts> policy;
  std::optional<Refusal> refusal;
  std::optional<std::string> ignored_kind;

  // Of keys of Calico's older store only. It yields to an object of the v3 API with its identity.
  bool is_v1 = false;
  // Which part of the object this is, where several keys make one up; empty: the whole. The value
  // holds that part.
  std::string part;
  // Why nothing of the datastore is to be used for now.
  std::optional<std::string> hold;
};

// Converts an object to the model, with what the API's clients would have filled in if none of them
// wrote it, and validates it. Doubt closes: an object that cannot be understood in full is absent
// as a whole, never in part. `origin` names the text that the object is from; the refusal adds the
// position.
[[nodiscard]] Decoded DecodeResource(const DocumentNode& object, std::string_view origin,
                                     Author author = Author::kPerson);

// The objects in a text's documents: a document is one object, a list of them, or an object whose
// kind ends in List and which has `items`. Lists do not nest. Borrows the documents.
[[nodiscard]] std::vector<const DocumentNode*> SplitResources(
    const std::vector<DocumentNode>& documents);

// Text from an object, made fit for one line of a log: control characters and what is no UTF-8
// become '?', and what is longer than 512 bytes is cut.
[[nodiscard]] std::string Printable(std::string_view text);

}  // namespace felix::datastore

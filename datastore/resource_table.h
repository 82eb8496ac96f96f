// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"

#include "datastore/client_defaults.h"
#include "datastore/key_hash.h"
#include "datastore/policy_memory.h"
#include "datastore/source.h"
#include "datastore/v3_decoder.h"

namespace felix::datastore {

// All objects that a set of files defines, and what follows from them together. Pure bookkeeping:
// no I/O, no clock. If several definitions have one identity, the one in the lexically smallest
// file, and in that file the first, claims it, be it valid or not; the others are refused and wait.
// Objects of the v3 API come before all of the older store. Where several keys of the latter make
// one object up, that holds for each part of it.
// The built-in resources exist where no file defines them. Deliberately remembers what policies
// last covered even when they are gone, see PolicyMemory.
class ResourceTable {
 public:
  // `built_in` exist where no file defines them.
  explicit ResourceTable(std::vector<model::Update> built_in = BuiltInResources());

  // What changed since the last Commit.
  struct Change {
    std::vector<model::Update> updates;                                    // in key order
    std::vector<std::pair<std::string, std::optional<Refusal>>> refusals;  // by id
  };

  // Replaces what the file defines. `display_name` is how refusals call it.
  void SetFile(const std::string& file, const std::string& display_name,
               std::vector<Decoded> objects);
  void RemoveFile(const std::string& file);
  // Why the file's present content is not in force; what it defined before stays.
  void SetFileRefusal(const std::string& file, std::optional<Refusal> refusal);

  [[nodiscard]] Change Commit();

  // Why nothing is to be used for now, if some object says so.
  [[nodiscard]] std::optional<std::string> Hold() const;

  // How many objects there are of kinds that have no part in policy.
  [[nodiscard]] const absl::btree_map<std::string, std::size_t>& ignored_kinds() const {
    return ignored_kinds_;
  }

 private:
  // What few objects have.
  struct Extras {
    std::optional<PolicyParts> policy;
    std::optional<Refusal> refusal;
    std::optional<std::string> ignored_kind;
    std::string part;
    std::optional<std::string> hold;
  };
  // There may be hundreds of thousands.
  struct Object {
    std::string name;
    int repeat = 1;  // of that name in its file
    Position position;
    std::optional<model::Key> key;
    std::shared_ptr<const model::Resource> value;  // shared with what was delivered
    std::unique_ptr<const Extras> extras;          // null: none
    bool is_v1 = false;

    [[nodiscard]] const Extras& more() const;
  };
  struct File {
    std::string display_name;  // empty: as it is called here
    std::vector<Object> objects;
  };
  using Files = std::map<std::string, File>;
  struct Place {
    bool is_v1 = false;  // v3 comes before v1
    const Files::value_type* file = nullptr;
    std::size_t index = 0;
    bool operator<(const Place& other) const {
      return std::tie(is_v1, file->first, index) <
             std::tie(other.is_v1, other.file->first, other.index);
    }
    bool operator==(const Place&) const = default;
  };
  using ResourceMap =
      absl::flat_hash_map<model::Key, std::shared_ptr<const model::Resource>, KeyHash>;
  using RefusalChanges = std::map<std::string, std::optional<Refusal>>;

  void Forget(const Files::value_type& file);
  [[nodiscard]] static std::string RefusalId(const std::string& file, const Object& object);
  [[nodiscard]] static std::string RefusalId(const Place& place);
  [[nodiscard]] static const Object& At(const Place& place);
  [[nodiscard]] static std::string Where(const Place& place);
  [[nodiscard]] static Refusal RefuseSecond(const Place& place, const Place& first);
  // The value in force for the key; notes on the way which of its definitions are refused.
  std::shared_ptr<const model::Resource> Resolve(const model::Key& key, RefusalChanges& refusals);

  // The same for an object whose definitions are its parts.
  std::shared_ptr<const model::Resource> ResolveParts(const absl::btree_set<Place>& places,
                                                      RefusalChanges& refusals);

  Files files_;
  absl::flat_hash_map<model::Key, absl::btree_set<Place>, KeyHash> definitions_;
  ResourceMap built_in_;
  ResourceMap delivered_;
  std::map<std::string, Refusal> delivered_refusals_;
  absl::btree_set<model::Key> changed_keys_;
  RefusalChanges changed_refusals_;  // of what has no key, and of what is gone
  absl::btree_map<std::string, std::size_t> ignored_kinds_;
  absl::btree_set<Place> holds_;
  PolicyMemory memory_;
};

}  // namespace felix::datastore

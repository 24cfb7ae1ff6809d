#include "pkcs11/slot.h"

#include <algorithm>

#include "identity/token.h"
#include "pkcs11/token_objects.h"

namespace devtrust::pkcs11 {
namespace {

constexpr auto kReasonLifetime = std::chrono::minutes(1);  // "expired 3 hours ago" grows old

const CK_VERSION kVersion = {DEVTRUST_VERSION_MAJOR, DEVTRUST_VERSION_MINOR};

std::string ago(std::chrono::seconds span) {
  const auto text = [](auto count, const char* unit) {
    return std::to_string(count) + ' ' + unit + (count == 1 ? " ago" : "s ago");
  };
  if (span >= std::chrono::days(1)) return text(span / std::chrono::days(1), "day");
  if (span >= std::chrono::hours(1)) return text(span / std::chrono::hours(1), "hour");
  return text(span / std::chrono::minutes(1), "minute");
}

/// Why a token is empty, in the 64 bytes of a slot's description.
std::string short_reason(const Snapshot& snapshot, const std::string& profile, const Error& error, Time now) {
  const auto& identities = snapshot.identities(profile);
  if (!identities.empty()) {
    const Identity& newest = *identities.front();
    switch (error.code) {
      case ErrorCode::kExpired:
        if (now > newest.leaf->not_after()) {
          return "Expired " + ago(now - newest.leaf->not_after()) + ": " + newest.location;
        }
        return "Not valid yet, check the clock: " + newest.location;
      case ErrorCode::kKeyMismatch:
        return "Private key damaged: " + newest.location;
      case ErrorCode::kCorrupt:
        return "Not signed by its issuer: " + newest.location;
      default:
        return error.message;
    }
  }
  for (const StoreReport& report : snapshot.reports()) {
    if (!report.problems.empty()) return report.problems.front().message;
  }
  return "No certificate with a private key found";
}

std::size_t count_intact(const std::vector<std::shared_ptr<const PrivateKey>>& keys) {
  return static_cast<std::size_t>(std::ranges::count_if(keys, [](const auto& key) { return key->intact(); }));
}

/// Narrows `view` to the time within which no certificate of `identity` becomes valid or expires.
void bound(View& view, const Identity& identity, Time now) {
  const auto narrow = [&view, now](const Certificate& certificate) {
    for (const Time edge : {certificate.not_before(), certificate.not_after() + std::chrono::seconds(1)}) {
      if (edge <= now) {
        view.from = std::max(view.from, edge);
      } else {
        view.until = std::min(view.until, edge);
      }
    }
  };
  narrow(*identity.leaf);
  for (const CertificatePtr& issuer : identity.chain.issuers) narrow(*issuer);
}

}  // namespace

void fill_field(std::span<unsigned char> field, std::string_view text) {
  constexpr std::string_view kEllipsis = "…";
  std::string fitting(text);
  if (fitting.size() > field.size()) {
    std::size_t end = field.size() - kEllipsis.size();
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    fitting = std::string(text.substr(0, end)) + std::string(kEllipsis);
  }
  std::ranges::fill(field, static_cast<unsigned char>(' '));
  std::ranges::copy(fitting, field.begin());
}

Slot::Slot(CK_SLOT_ID id, TokenIdentity token, bool chain_trusted, std::string problem, HandleCounter& handles)
    : id_(id),
      chain_trusted_(chain_trusted),
      problem_(std::move(problem)),
      handles_(handles),
      token_(std::move(token)) {}

TokenIdentity Slot::token() const {
  const std::lock_guard lock(mutex_);
  return token_;
}

TokenIdentity Slot::token_of(const Snapshot& snapshot, const Profile& profile, Time now, const TokenIdentity& before) {
  TokenIdentity token{profile.name, profile.label, before.login_required, before.has_keys};
  token.has_keys |= !snapshot.identities(profile.name).empty();
  const auto shown = snapshot.shown(profile.name, now);
  if (!shown.empty()) {
    token.login_required =
        std::ranges::any_of(shown, [](const IdentityPtr& identity) { return identity->login != nullptr; });
  }
  return token;
}

void Slot::replace_token(TokenIdentity token) {
  const std::lock_guard lock(mutex_);
  token_ = std::move(token);
  view_.reset();
  known_.clear();
  by_handle_.clear();
  session_objects_.clear();
  sessions_.clear();
  logged_in_ = false;
  ++epoch_;
}

bool Slot::up_to_date(const std::shared_ptr<const Snapshot>& snapshot, Time now) const {
  return view_ && view_->snapshot == snapshot && view_->from <= now && now < view_->until && view_->epoch == epoch_ &&
         view_->intact == count_intact(view_->keys);
}

ViewPtr Slot::view(const std::shared_ptr<const Snapshot>& snapshot, Time now) {
  const std::lock_guard lock(mutex_);
  if (!up_to_date(snapshot, now)) view_ = build(snapshot, now);
  return view_;
}

ViewPtr Slot::build(const std::shared_ptr<const Snapshot>& snapshot, Time now) {
  const auto view = std::make_shared<View>();
  view->snapshot = snapshot;
  view->from = Time::min();
  view->until = Time::max();
  view->epoch = epoch_;
  const bool logged_in = logged_in_;

  std::vector<Description> descriptions;
  descriptions.push_back(profile_object(token_.profile));
  const Profile* profile = snapshot->find_profile(token_.profile);
  if (profile == nullptr) {
    view->description = !problem_.empty() ? problem_ : short_reason(*snapshot, token_.profile, Error{}, now);
  } else {
    for (const IdentityPtr& identity : snapshot->identities(profile->name)) {
      view->keys.push_back(identity->key);
      bound(*view, *identity, now);
    }
    view->intact = count_intact(view->keys);
    const auto current = snapshot->current(profile->name, now);
    const auto shown = snapshot->shown(profile->name, now);
    for (const IdentityPtr& identity : shown) {
      const auto& login = identity->login;
      if (login && std::ranges::find(view->logins, login) == view->logins.end()) view->logins.push_back(login);
      const bool is_current = current && *current == identity;
      auto objects = identity_objects(identity, *profile, is_current, !login || logged_in, chain_trusted_);
      std::ranges::move(objects, std::back_inserter(descriptions));
    }
    if (current) {
      view->description = (*current)->store_kind + ", " + (*current)->location;
    } else {
      view->description = short_reason(*snapshot, profile->name, current.error(), now);
      view->until = std::min(view->until, now + kReasonLifetime);
    }
  }

  std::unordered_map<CK_OBJECT_HANDLE, std::weak_ptr<const Object>> listed;
  for (Description& description : descriptions) {
    Known& known = known_[description.content];
    if (known.handle == CK_INVALID_HANDLE) known.handle = next_handle();
    if (!listed.emplace(known.handle, std::weak_ptr<const Object>()).second) continue;  // in two chains
    auto object = std::make_shared<const Object>(known.handle, std::move(description.attributes),
                                                 std::move(description.identity), std::move(description.key));
    const ObjectPtr before = known.object.lock();
    if (before && before->identity() == object->identity() && before->attributes() == object->attributes()) {
      object = before;
    }
    known.object = object;
    by_handle_[known.handle] = object;
    view->objects.push_back(std::move(object));
  }
  // what nobody holds any more is forgotten
  view_ = view;
  std::erase_if(known_, [](const auto& entry) { return entry.second.object.expired(); });
  std::erase_if(by_handle_, [](const auto& entry) { return entry.second.expired(); });
  return view;
}

CK_SLOT_INFO Slot::slot_info(const View& view) const {
  CK_SLOT_INFO info{};
  fill_field(info.slotDescription, view.description);
  fill_field(info.manufacturerID, kTokenManufacturer);
  // removable: NSS then notices that a token was replaced
  info.flags = CKF_TOKEN_PRESENT | CKF_REMOVABLE_DEVICE;
  info.hardwareVersion = kVersion;
  info.firmwareVersion = kVersion;
  return info;
}

CK_TOKEN_INFO Slot::token_info() const {
  const std::lock_guard lock(mutex_);
  CK_TOKEN_INFO info{};
  fill_field(info.label, token_.label);
  fill_field(info.manufacturerID, kTokenManufacturer);
  fill_field(info.model, kTokenModel);
  fill_field(info.serialNumber, token_serial(token_.profile));
  info.flags = CKF_RNG | CKF_WRITE_PROTECTED | CKF_TOKEN_INITIALIZED;
  if (token_.login_required) info.flags |= CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED;
  info.ulMaxSessionCount = CK_EFFECTIVELY_INFINITE;
  info.ulSessionCount = to_ulong(sessions_.size());
  info.ulMaxRwSessionCount = CK_EFFECTIVELY_INFINITE;
  info.ulRwSessionCount =
      static_cast<CK_ULONG>(std::ranges::count_if(sessions_, [](const auto& session) { return session.second; }));
  info.ulMaxPinLen = kMaxPinLength;
  info.ulMinPinLen = 0;
  info.ulTotalPublicMemory = CK_UNAVAILABLE_INFORMATION;
  info.ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION;
  info.ulTotalPrivateMemory = CK_UNAVAILABLE_INFORMATION;
  info.ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION;
  info.hardwareVersion = kVersion;
  info.firmwareVersion = kVersion;
  fill_field(info.utcTime, "");
  return info;
}

void Slot::session_opened(CK_SESSION_HANDLE session, bool read_write) {
  const std::lock_guard lock(mutex_);
  sessions_[session] = read_write;
}

void Slot::session_closed(CK_SESSION_HANDLE session) {
  const std::lock_guard lock(mutex_);
  sessions_.erase(session);
  std::erase_if(session_objects_, [session](const SessionObject& entry) { return entry.owner == session; });
}

bool Slot::has_sessions() const {
  const std::lock_guard lock(mutex_);
  return !sessions_.empty();
}

void Slot::set_logged_in() {
  const std::lock_guard lock(mutex_);
  logged_in_ = true;
  ++epoch_;
}

void Slot::set_logged_out() {
  const std::lock_guard lock(mutex_);
  logged_in_ = false;
  ++epoch_;
  view_.reset();
  const auto is_private = [](const auto& object) { return object && object->is_private(); };
  std::erase_if(session_objects_, [&](const SessionObject& entry) { return is_private(entry.object); });
  std::erase_if(known_, [&](const auto& entry) { return is_private(entry.second.object.lock()); });
  std::erase_if(by_handle_, [&](const auto& entry) { return is_private(entry.second.lock()); });
}

ObjectPtr Slot::find(CK_OBJECT_HANDLE handle) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_handle_.find(handle);
  if (found != by_handle_.end()) return found->second.lock();
  const auto own = std::ranges::find_if(
      session_objects_, [handle](const SessionObject& entry) { return entry.object->handle() == handle; });
  return own != session_objects_.end() ? own->object : nullptr;
}

Answer<ObjectPtr> Slot::add_session_object(CK_SESSION_HANDLE session, std::vector<Attribute> attributes,
                                           SecureBytes secret) {
  const std::lock_guard lock(mutex_);
  if (!sessions_.contains(session)) return refuse(CKR_SESSION_HANDLE_INVALID);
  auto object =
      std::make_shared<const Object>(next_handle(), std::move(attributes), nullptr, std::nullopt, std::move(secret));
  if (object->is_private() && !logged_in_ && token_.login_required) return refuse(CKR_USER_NOT_LOGGED_IN);
  session_objects_.push_back({session, object});
  return object;
}

bool Slot::destroy_session_object(CK_OBJECT_HANDLE handle) {
  const std::lock_guard lock(mutex_);
  return std::erase_if(session_objects_,
                       [handle](const SessionObject& entry) { return entry.object->handle() == handle; }) > 0;
}

std::vector<ObjectPtr> Slot::session_objects() const {
  const std::lock_guard lock(mutex_);
  std::vector<ObjectPtr> objects;
  for (const SessionObject& entry : session_objects_) objects.push_back(entry.object);
  return objects;
}

}  // namespace devtrust::pkcs11

// PKCS#11 3.0 §5.7 "Object management functions".
#include <algorithm>

#include "pkcs11/call.h"

using namespace devtrust::pkcs11;

namespace {

/// Why an object of the token cannot be changed or made.
tl::unexpected<Failure> refuse_write(const Session& session) {
  return refuse(session.read_write() ? CKR_TOKEN_WRITE_PROTECTED : CKR_SESSION_READ_ONLY);
}

}  // namespace

CK_RV C_CreateObject(CK_SESSION_HANDLE hSession, CK_ATTRIBUTE* pTemplate, CK_ULONG ulCount,
                     CK_OBJECT_HANDLE* phObject) {
  return session_call("C_CreateObject", {value("session", hSession), attributes(pTemplate, ulCount)}, hSession,
                      [&](Library&, Session& session) -> Answer<> {
                        const auto wanted = checked_template(pTemplate, ulCount);
                        if (!wanted) return tl::unexpected(wanted.error());
                        if (phObject == nullptr) return refuse(CKR_ARGUMENTS_BAD);
                        const auto has = [&wanted](CK_ATTRIBUTE_TYPE type) {
                          return std::ranges::find(*wanted, type, &CK_ATTRIBUTE::type) != wanted->end();
                        };
                        if (!has(CKA_CLASS)) return refuse(CKR_TEMPLATE_INCOMPLETE);
                        const auto token =
                            std::ranges::find(*wanted, CK_ATTRIBUTE_TYPE{CKA_TOKEN}, &CK_ATTRIBUTE::type);
                        if (token != wanted->end() && template_flag(*token).value_or(false))
                          return refuse_write(session);
                        return refuse(CKR_FUNCTION_NOT_SUPPORTED, "keys and certificates come from the stores only");
                      });
}

CK_RV C_CopyObject(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ATTRIBUTE* pTemplate, CK_ULONG ulCount,
                   CK_OBJECT_HANDLE* phNewObject) {
  return session_call("C_CopyObject",
                      {value("session", hSession), value("object", hObject), attributes(pTemplate, ulCount)}, hSession,
                      [&](Library&, Session& session) -> Answer<> {
                        const auto wanted = checked_template(pTemplate, ulCount);
                        if (!wanted) return tl::unexpected(wanted.error());
                        if (phNewObject == nullptr) return refuse(CKR_ARGUMENTS_BAD);
                        const auto object = session.find_object(hObject);
                        if (!object) return tl::unexpected(object.error());
                        return refuse(CKR_ACTION_PROHIBITED, "CKA_COPYABLE is false");
                      });
}

CK_RV C_DestroyObject(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject) {
  return session_call("C_DestroyObject", {value("session", hSession), value("object", hObject)}, hSession,
                      [&](Library&, Session& session) -> Answer<> {
                        if (session.slot().destroy_session_object(hObject)) return {};
                        const auto object = session.find_object(hObject);
                        if (!object) return tl::unexpected(object.error());
                        return refuse_write(session);
                      });
}

CK_RV C_GetObjectSize(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ULONG* pulSize) {
  return session_call("C_GetObjectSize",
                      {value("session", hSession), value("object", hObject), result("size", pulSize)}, hSession,
                      [&](Library&, Session& session) -> Answer<> {
                        if (pulSize == nullptr) return refuse(CKR_ARGUMENTS_BAD);
                        const auto object = session.find_object(hObject);
                        if (!object) return tl::unexpected(object.error());
                        *pulSize = (*object)->size();
                        return {};
                      });
}

CK_RV C_GetAttributeValue(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ATTRIBUTE* pTemplate,
                          CK_ULONG ulCount) {
  return session_call("C_GetAttributeValue",
                      {value("session", hSession), value("object", hObject), requested(pTemplate, ulCount)}, hSession,
                      [&](Library&, Session& session) -> Answer<> {
                        if (pTemplate == nullptr) return refuse(CKR_ARGUMENTS_BAD);
                        const auto object = session.find_object(hObject);
                        if (!object) return tl::unexpected(object.error());
                        // every attribute is looked at, whatever becomes of another; the first failure is the answer
                        CK_RV rv = CKR_OK;
                        for (CK_ATTRIBUTE& attribute : std::span(pTemplate, ulCount)) {
                          const CK_RV one = (*object)->read(attribute);
                          if (rv == CKR_OK) rv = one;
                        }
                        if (rv != CKR_OK) return refuse(rv);
                        return {};
                      });
}

CK_RV C_SetAttributeValue(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ATTRIBUTE* pTemplate,
                          CK_ULONG ulCount) {
  return session_call("C_SetAttributeValue",
                      {value("session", hSession), value("object", hObject), attributes(pTemplate, ulCount)}, hSession,
                      [&](Library&, Session& session) -> Answer<> {
                        const auto wanted = checked_template(pTemplate, ulCount);
                        if (!wanted) return tl::unexpected(wanted.error());
                        if (wanted->empty()) return refuse(CKR_ARGUMENTS_BAD);
                        const auto object = session.find_object(hObject);
                        if (!object) return tl::unexpected(object.error());
                        if ((*object)->is(CKA_TOKEN)) return refuse_write(session);
                        return refuse(CKR_ACTION_PROHIBITED, "CKA_MODIFIABLE is false");
                      });
}

CK_RV C_FindObjectsInit(CK_SESSION_HANDLE hSession, CK_ATTRIBUTE* pTemplate, CK_ULONG ulCount) {
  return session_call("C_FindObjectsInit", {value("session", hSession), attributes(pTemplate, ulCount)}, hSession,
                      [&](Library& library, Session& session) -> Answer<> {
                        const auto wanted = checked_template(pTemplate, ulCount);
                        if (!wanted) return tl::unexpected(wanted.error());
                        if (session.finding) return refuse(CKR_OPERATION_ACTIVE);
                        FindOperation operation;
                        operation.epoch = session.slot().login_epoch();
                        const ViewPtr view = library.view(session.slot());
                        const auto matching = [&wanted](const ObjectPtr& object) { return object->matches(*wanted); };
                        std::ranges::copy_if(view->objects, std::back_inserter(operation.found), matching);
                        std::ranges::copy_if(session.slot().session_objects(), std::back_inserter(operation.found),
                                             matching);
                        session.finding = std::move(operation);
                        return {};
                      });
}

CK_RV C_FindObjects(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE* phObject, CK_ULONG ulMaxObjectCount,
                    CK_ULONG* pulObjectCount) {
  return session_call("C_FindObjects",
                      {value("session", hSession), value("most", ulMaxObjectCount), result("count", pulObjectCount)},
                      hSession, [&](Library&, Session& session) -> Answer<> {
                        if (pulObjectCount == nullptr || (phObject == nullptr && ulMaxObjectCount > 0)) {
                          return refuse(CKR_ARGUMENTS_BAD);
                        }
                        if (!session.finding) return refuse(CKR_OPERATION_NOT_INITIALIZED);
                        CK_ULONG count = 0;
                        while (count < ulMaxObjectCount) {
                          const ObjectPtr object = session.next_found();
                          if (!object) break;
                          phObject[count++] = object->handle();
                        }
                        *pulObjectCount = count;
                        return {};
                      });
}

CK_RV C_FindObjectsFinal(CK_SESSION_HANDLE hSession) {
  return session_call("C_FindObjectsFinal", {value("session", hSession)}, hSession,
                      [](Library&, Session& session) -> Answer<> {
                        if (!session.finding) return refuse(CKR_OPERATION_NOT_INITIALIZED);
                        session.finding.reset();
                        return {};
                      });
}

;;; emacs.el --- An Emacs with nothing but eglot: starts a session from a comment, and approves on the page's file.  -*- lexical-binding: t -*-

;;; Commentary:
;; Run in batch; writes what it saw as JSON to $E2E_REPORT, and the Python side compares.

;;; Code:

(require 'eglot)
(require 'json)

(setq eglot-sync-connect 120
      eglot-connect-timeout 120
      jsonrpc-default-request-timeout 120
      eglot-confirm-server-edits nil
      auto-mode-alist '(("\\.md\\'" . text-mode) ("\\.py\\'" . text-mode))
      eglot-server-programs
      `((text-mode . ("agentos-lsp" :initializationOptions
                      (:trusted t :files t :agent "scripted" :script ,(getenv "E2E_SCRIPT"))))))

(defvar e2e-seen nil "What was seen, newest first, as an alist.")

(defun e2e-see (name value)
  "Record VALUE under NAME."
  (push (cons name value) e2e-seen))

(defun e2e-wait (what condition)
  "Wait until CONDITION returns something, and return it; WHAT names it."
  (let ((end (+ (float-time) 60)) value)
    (while (not (setq value (funcall condition)))
      (when (> (float-time) end) (error "Waited in vain for %s" what))
      (accept-process-output nil 0.05))
    value))

(defun e2e-connect ()
  "Let eglot manage the current buffer."
  (apply #'eglot (eglot--guess-contact))
  (e2e-wait "eglot to manage the buffer" #'eglot-managed-p))

(defun e2e-actions ()
  "Return the code actions at point."
  (append (eglot-code-actions (line-beginning-position) (line-beginning-position)) nil))

(defun e2e-titles (actions)
  "Return the titles of ACTIONS."
  (vconcat (mapcar (lambda (action) (plist-get action :title)) actions)))

(defun e2e-choose (title)
  "Carry out the code action at point that begins with TITLE."
  (let ((action (seq-find (lambda (one) (string-prefix-p title (plist-get one :title))) (e2e-actions))))
    (unless action (error "There is no action %s" title))
    (eglot-execute (eglot--current-server-or-lose) action)))

(defun e2e-text (file)
  "Return the text of FILE."
  (with-temp-buffer (insert-file-contents file) (buffer-string)))

(defun e2e-play ()
  "Start a session, approve, and read what it did."
  (find-file "work.py")
  (e2e-connect)
  (goto-char (point-min))
  (search-forward "TODO")
  (e2e-see 'offered (e2e-titles (e2e-actions)))
  (e2e-choose "Let an agent do this: ")
  ;; The server asks for the page to be opened; eglot does it.
  (let* ((page (e2e-wait "the page" (lambda ()
                 (seq-some (lambda (one) (let ((name (buffer-file-name one)))
                                           (and name (string-suffix-p "/session.md" name) name)))
                           (buffer-list)))))
         (changes (expand-file-name "changes.diff" (file-name-directory page))))
    (e2e-see 'page page)
    (e2e-wait "the question" (lambda () (string-match-p "^- \\[" (e2e-text page))))
    ;; As `auto-revert-mode' does for a person.
    (set-buffer (get-file-buffer page))
    (revert-buffer t t)
    (e2e-see 'writable (if (file-writable-p page) t :json-false))
    (e2e-connect)
    (goto-char (point-min))
    (re-search-forward "^- \\[")
    (e2e-see 'line (buffer-substring (line-beginning-position) (line-end-position)))
    (e2e-see 'answers (e2e-titles (e2e-actions)))
    (e2e-choose "Approve once")
    (e2e-wait "the end of the turn" (lambda () (string-match-p "^State: idle$" (e2e-text page))))
    (e2e-wait "the diff" (lambda () (and (file-exists-p changes)
                                         (string-match-p "^\\+MIT License (edited from Emacs)" (e2e-text changes)))))
    ;; What is done with the session as a whole is done on its heading.
    (set-buffer (get-file-buffer page))
    (revert-buffer t t)
    (goto-char (point-min))
    (e2e-see 'endings (e2e-titles (e2e-actions)))
    (e2e-choose "Merge ")
    (e2e-wait "the merge" (lambda () (string-match-p "^State: merged$" (e2e-text page))))
    (e2e-see 'overview (e2e-text (expand-file-name "../sessions.md" (file-name-directory page))))))

(let ((failure (condition-case err (progn (e2e-play) nil) (error (error-message-string err)))))
  (e2e-see 'failure (or failure :null))
  (with-temp-file (getenv "E2E_REPORT")
    (insert (json-serialize e2e-seen :null-object :null :false-object :json-false)))
  (kill-emacs 0))

;;; emacs.el ends here
